//! Wi-Fi: joins a network, and joins it again for ever.

use alloc::format;
use alloc::string::String;

use embassy_time::{Duration, Instant, Timer, with_timeout};
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config, WifiController};
use otaru_wire::payload::LogLevel;

use super::chance;
use super::serial::say;

/// The first wait for another try, and the longest.
const AGAIN_AFTER_MS: u64 = 1000;
const AGAIN_AT_MOST_MS: u64 = 60_000;
/// A connection that held for so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// The driver's word for the end of a connection can be missed: it is asked as often as this.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);
/// A driver that says nothing for so long is asked again.
const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// A network as the driver is told of it. `None` for a name or a password that cannot be one.
pub fn network((name, password): (&str, &str)) -> Option<Config> {
    let authentication = match password {
        "" => AuthenticationMethodConfig::Open,
        // Also what takes WPA3 beside it.
        _ => AuthenticationMethodConfig::Wpa2Personal(password.try_into().ok()?),
    };
    let station = StationConfig::default()
        .with_ssid(name.try_into().ok()?)
        .with_authentication(authentication);
    Some(Config::Station(station))
}

/// Waits for the end of the connection; says why there was one.
async fn lost(controller: &mut WifiController<'static>) -> String {
    loop {
        match with_timeout(LOOKED_AT_EVERY, controller.wait_for_disconnect_async()).await {
            Ok(Ok(lost)) => return format!("{:?}", lost.reason),
            Ok(Err(error)) => return format!("{error:?}"),
            Err(_) if controller.is_connected() => {}
            Err(_) => return "unnoticed".into(),
        }
    }
}

/// Keeps the station in its network.
pub async fn keep(mut controller: WifiController<'static>) -> ! {
    let mut wait_ms = AGAIN_AFTER_MS;
    loop {
        let joined = with_timeout(JOIN_LIMIT, controller.connect_async()).await;
        match joined {
            Ok(Ok(_)) => {
                say(LogLevel::Info, "WIFI_UP", &["the network took the station"]);
                let begin = Instant::now();
                let why = lost(&mut controller).await;
                say(LogLevel::Warn, "WIFI_LOST", &["the network is gone: ", &why]);
                if begin.elapsed() > GOOD_AFTER {
                    wait_ms = AGAIN_AFTER_MS;
                }
            }
            Ok(Err(error)) => {
                say(LogLevel::Warn, "WIFI_DOWN", &["no network: ", &format!("{error:?}")]);
            }
            Err(_) => {
                say(LogLevel::Warn, "WIFI_DOWN", &["no network: no answer"]);
                // There may be nothing to break off.
                let _ = with_timeout(JOIN_LIMIT, controller.disconnect_async()).await;
            }
        }
        // Somewhere between half of it and all of it: no two devices come back at once.
        let mut chance = [0; 8];
        chance::fill(&mut chance);
        let spread_ms = wait_ms / 2 + u64::from_le_bytes(chance) % (wait_ms / 2 + 1);
        Timer::after_millis(spread_ms).await;
        wait_ms = (wait_ms * 2).min(AGAIN_AT_MOST_MS);
    }
}
