//! What sending images costs, beside nginx: one core serves, another asks.
//!
//! Both send the same file with the same certificate. The processor time of the server's
//! processes is divided by the bytes that arrived, so that neighbours on the machine count less
//! than in a rate. Memory is looked at while thousands of slow clients fetch at once.

mod load;
mod nginx;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, firmware};

use crate::figure::Figure;
use crate::machine::{
    allow_open_files, pin, processes_of, processor_time, resident_kib, tcp_memory_kib,
};
use load::{Load, Target};
use nginx::Nginx;

/// What devices fetch: an ESP32 application of usual length.
const IMAGE_BYTES: usize = 1_500_000;

const RANGE_BYTES: usize = 16 * 1024;
const CONNECTIONS: usize = 64;
const MEASURED: Duration = Duration::from_secs(4);
/// Comparisons whose middle counts: of the same two servers one differs from the next by a tenth.
const ROUNDS: usize = 5;

const SLOW_CLIENTS: usize = 2_000;
const SLOW_BYTES_PER_S: usize = 50_000;
const SLOW_MEASURED: Duration = Duration::from_secs(20);

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

/// Measures only what it names of `http`, `https` and `slow`, with commas between them.
const PIECES: &str = "BENCH_SERVE";

const WHOLE_TARGET: f64 = 0.6;
const RANGE_TARGET: f64 = 0.65;
const SLOW_RATE_TARGET: f64 = 0.9;
const USER_KIB_TARGET: f64 = 64.0;
const KERNEL_KIB_TARGET: f64 = 100.0;

/// One server, and where it sends the image.
struct Server {
    name: &'static str,
    processes: Vec<u32>,
    plain: Target,
    secure: Target,
}

/// What many slow clients made of a server.
struct Slow {
    rate: f64,
    cpu_s_per_gb: f64,
    user_kib_each: f64,
    kernel_kib_each: f64,
}

/// Measures and prints the figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-serve`", binary.display());
    ensure!(std::thread::available_parallelism()?.get() >= 2, "two cores are needed");
    allow_open_files(3 * SLOW_CLIENTS as u64)?;
    let image = firmware("1.0.0", IMAGE_BYTES, Behaviour::Pass);
    // From its start: a server makes itself a thread for each core it finds.
    pin(std::process::id(), SERVER_CORE)?;
    let fleet = start_fleet(binary, &image).await?;
    let nginx = Nginx::start(&fleet, &image).await?;
    let machine = crate::machine::description(fleet.folder())?;
    pin(std::process::id(), CLIENT_CORE)?;
    let ours = ours(&fleet).await?;
    let theirs = Server {
        name: "nginx",
        processes: processes_of(nginx.id()?)?,
        plain: ours.plain.at(nginx.plain),
        secure: ours.secure.at(nginx.secure),
    };
    for server in [&ours, &theirs] {
        for process in &server.processes {
            pin(*process, SERVER_CORE)?;
        }
    }

    println!("{machine}");
    println!("{}; {}", nginx.version, format_args!("{CONNECTIONS} connections, one core each"));
    if is_wanted("http") {
        compare("HTTP", [(&ours, &ours.plain), (&theirs, &theirs.plain)]).await?;
    }
    if is_wanted("https") {
        let secure = [(&ours, &ours.secure), (&theirs, &theirs.secure)];
        let (mut whole, mut ranges) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let [we, they] = compare("HTTPS", secure).await?;
            whole.push(we.whole / they.whole);
            ranges.push(we.range / they.range);
        }
        println!("{}", Figure::ratio("https_whole_to_nginx", middle(whole), WHOLE_TARGET));
        println!("{}", Figure::ratio("https_ranges_to_nginx", middle(ranges), RANGE_TARGET));
    }
    if is_wanted("slow") {
        compare_slow(&ours, &theirs).await?;
    }
    nginx.stop().await
}

fn middle(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn is_wanted(piece: &str) -> bool {
    std::env::var(PIECES).map_or(true, |pieces| pieces.split(',').any(|named| named == piece))
}

/// Prints what whole files and ranges cost two servers, and answers it.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
async fn compare(protocol: &str, servers: [(&Server, &Target); 2]) -> Result<[Costs; 2]> {
    println!("| | whole file, {protocol} | 16 KiB, {protocol} |");
    println!("| --- | --- | --- |");
    let mut all = [Costs::default(); 2];
    for (costs, (server, target)) in all.iter_mut().zip(servers) {
        let whole = cost(server, target, None).await?;
        let range = cost(server, target, Some(RANGE_BYTES)).await?;
        println!("| {} | {whole} | {range} |", server.name);
        *costs = Costs { whole: whole.cpu_s_per_gb, range: range.cpu_s_per_gb };
    }
    Ok(all)
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
async fn compare_slow(ours: &Server, theirs: &Server) -> Result<()> {
    println!("{SLOW_CLIENTS} HTTPS clients at {} KB/s", SLOW_BYTES_PER_S / 1000);
    println!(
        "| | of the rate asked for | CPU s/GB | memory each | kernel's memory each, both ends |"
    );
    println!("| --- | --- | --- | --- | --- |");
    let (we, they) = (slow(ours).await?, slow(theirs).await?);
    for (name, slow) in [(ours.name, &we), (theirs.name, &they)] {
        let Slow { rate, cpu_s_per_gb, user_kib_each, kernel_kib_each } = slow;
        let percent = rate * 100.0;
        println!(
            "| {name} | {percent:.0} % | {cpu_s_per_gb:.2} | {user_kib_each:.1} KiB | {kernel_kib_each:.1} KiB |"
        );
    }
    println!("{}", Figure::at_least("slow_rate", we.rate, SLOW_RATE_TARGET, ""));
    println!("{}", Figure::at_most("slow_user_memory", we.user_kib_each, USER_KIB_TARGET, "KiB"));
    println!(
        "{}",
        Figure::at_most("slow_kernel_memory", we.kernel_kib_each, KERNEL_KIB_TARGET, "KiB")
    );
    Ok(())
}

/// A server with the image published, and without limits: all clients have one address.
async fn start_fleet(binary: &Path, image: &[u8]) -> Result<Fleet> {
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: ("1.0.0", image),
        devices: 1,
        self_test: Duration::ZERO,
        link_kbps: None,
    };
    let mut fleet = Fleet::start(&options).await?;
    fleet.server.stop().await?;
    let settings = "[downloads]\nsite_in_flight = 0\norganisation_in_flight = 0\n";
    std::fs::write(fleet.server.folder().join("otaru.toml"), settings)?;
    fleet.server.start().await?;
    Ok(fleet)
}

async fn ours(fleet: &Fleet) -> Result<Server> {
    let link = ["release", "link", "1.0.0", "--product", "clock", "--lifetime", "1d"];
    let link = fleet.console.admin.done(&link).await?;
    let link = link["url"].as_str().context("no url in the link")?.to_owned();
    let path = link.find("/firmware/").map(|at| link[at..].to_owned()).context("no path")?;
    let id = fleet.server.program().and_then(|program| program.id()).context("it has ended")?;
    Ok(Server {
        name: "Otaru",
        processes: vec![id],
        plain: Target::plain(&fleet.server.url(), &path)?,
        secure: Target::secure(&fleet.server.device_url(), &path, fleet)?,
    })
}

/// What a load took of a server.
struct Cost {
    cpu_s_per_gb: f64,
    megabytes_per_s: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{:.3} CPU s/GB, {:.0} MB/s", self.cpu_s_per_gb, self.megabytes_per_s)
    }
}

/// Processor seconds for a gigabyte.
#[derive(Clone, Copy, Default)]
struct Costs {
    whole: f64,
    range: f64,
}

/// Fetches whole files, or ranges of so many bytes.
async fn cost(server: &Server, target: &Target, range: Option<usize>) -> Result<Cost> {
    let load = Load::new(target.clone(), IMAGE_BYTES, range);
    load.run(CONNECTIONS, Duration::from_secs(1)).await?;
    let before = processor_time(&server.processes)?;
    let bytes = load.run(CONNECTIONS, MEASURED).await? as f64;
    let spent = processor_time(&server.processes)? - before;
    Ok(Cost {
        cpu_s_per_gb: spent.as_secs_f64() / (bytes / 1e9),
        megabytes_per_s: bytes / 1e6 / MEASURED.as_secs_f64(),
    })
}

async fn slow(server: &Server) -> Result<Slow> {
    let memory = || -> Result<(f64, f64)> {
        let resident: Result<Vec<u64>> =
            server.processes.iter().map(|id| resident_kib(*id)).collect();
        Ok((resident?.iter().sum::<u64>() as f64, tcp_memory_kib()? as f64))
    };
    let (user, kernel) = memory()?;
    let crowd = load::Crowd::start(&server.secure, SLOW_CLIENTS, SLOW_BYTES_PER_S).await?;
    // Everybody is under way, and in the middle of the file.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, bytes_before) = (processor_time(&server.processes)?, crowd.bytes());
    tokio::time::sleep(SLOW_MEASURED).await;
    let spent = processor_time(&server.processes)? - before;
    let bytes = (crowd.bytes() - bytes_before) as f64;
    let (user_now, kernel_now) = memory()?;
    crowd.end()?;
    let asked = (SLOW_CLIENTS * SLOW_BYTES_PER_S) as f64 * SLOW_MEASURED.as_secs_f64();
    Ok(Slow {
        rate: bytes / asked,
        cpu_s_per_gb: spent.as_secs_f64() / (bytes / 1e9),
        user_kib_each: (user_now - user) / SLOW_CLIENTS as f64,
        kernel_kib_each: (kernel_now - kernel) / SLOW_CLIENTS as f64,
    })
}
