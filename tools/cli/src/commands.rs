//! The commands, one file per noun.

mod audit;
mod authority;
mod device;
mod key;
mod login;
mod organisation;
mod people;
mod product;
mod provisioning;
mod release;
mod shadow;
mod token;
mod update;
mod watch;

pub use device::add_devices;

use std::io::IsTerminal;

use anyhow::Result;
use clap::{Args, Subcommand};
use otaru_client::{Client, Page, Paging};

use crate::connection;
use crate::exit::Exit;
use crate::options::Options;
use crate::output::Printer;

/// Commands that speak to a server, and the local ones of the same people.
#[derive(Subcommand, Debug)]
pub enum ClientCommand {
    /// Sign in and remember the server
    Login(login::LoginOptions),
    /// Forget the server that `login` remembered
    Logout,
    /// Show whom the token speaks for
    Whoami,
    /// Kinds of devices
    #[command(subcommand)]
    Product(product::ProductCommand),
    /// Signing keys, made and kept here
    #[command(subcommand)]
    Key(Box<key::KeyCommand>),
    /// Published firmware
    #[command(subcommand)]
    Release(Box<release::ReleaseCommand>),
    /// Physical units
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Authorities of your own, whose certificates your devices may come with
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// How devices of a batch become things
    #[command(subcommand)]
    Provisioning(provisioning::ProvisioningCommand),
    /// Desired and reported state
    #[command(subcommand)]
    Shadow(shadow::ShadowCommand),
    /// One device's move to one release
    #[command(subcommand)]
    Update(update::UpdateCommand),
    /// People
    #[command(subcommand)]
    User(people::UserCommand),
    /// People who were invited and have not come in yet
    #[command(subcommand)]
    Invitation(people::InvitationCommand),
    /// Who shares the server
    #[command(subcommand)]
    Organisation(organisation::OrganisationCommand),
    /// API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who changed what
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl ClientCommand {
    pub(crate) async fn run(self, context: &Context<'_>) -> Result<Exit> {
        match self {
            ClientCommand::Login(options) => login::login(context, options).await?,
            ClientCommand::Logout => login::logout(context).await?,
            ClientCommand::Whoami => people::whoami(context).await?,
            ClientCommand::Product(command) => command.run(context).await?,
            ClientCommand::Key(command) => command.run(context).await?,
            ClientCommand::Release(command) => command.run(context).await?,
            ClientCommand::Device(command) => command.run(context).await?,
            ClientCommand::Authority(command) => command.run(context).await?,
            ClientCommand::Provisioning(command) => command.run(context).await?,
            ClientCommand::Shadow(command) => command.run(context).await?,
            ClientCommand::Update(command) => return command.run(context).await,
            ClientCommand::User(command) => command.run(context).await?,
            ClientCommand::Invitation(command) => command.run(context).await?,
            ClientCommand::Organisation(command) => command.run(context).await?,
            ClientCommand::Token(command) => command.run(context).await?,
            ClientCommand::Audit(command) => command.run(context).await?,
            ClientCommand::Completion { shell } => context.print_completion(shell),
        }
        Ok(Exit::Done)
    }
}

/// What every command has at hand.
pub(crate) struct Context<'a> {
    options: &'a Options,
    program: clap::Command,
    printer: Printer,
}

impl<'a> Context<'a> {
    pub(crate) fn new(options: &'a Options, program: clap::Command) -> Context<'a> {
        Context { options, program, printer: Printer { format: options.output } }
    }

    fn client(&self) -> Result<Client> {
        connection::connect(self.options)
    }

    /// Whether a question may be put to a person.
    fn may_ask(&self) -> bool {
        !self.options.no_input && std::io::stdin().is_terminal()
    }

    /// Asks before something that cannot be undone. Without a person to ask it goes ahead:
    /// a script means what it says.
    fn confirm(&self, question: &str) -> Result<()> {
        if self.options.yes || !self.may_ask() {
            return Ok(());
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => anyhow::bail!("not confirmed, nothing was changed"),
        }
    }

    fn print_completion(&self, shell: clap_complete::Shell) {
        let mut program = self.program.clone();
        let name = program.get_name().to_owned();
        clap_complete::generate(shell, &mut program, name, &mut std::io::stdout());
    }
}

/// Which part of a list is shown.
#[derive(Args, Clone, Debug)]
pub struct ListOptions {
    /// How many items at most, 1 to 200
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: Option<u32>,
    /// Where the last answer ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// The whole list, however many answers it takes
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl ListOptions {
    /// Fetches the part, or part after part.
    async fn fetch<T, F>(&self, fetch: impl Fn(Paging) -> F) -> Result<Page<T>>
    where
        F: Future<Output = Result<Page<T>, otaru_client::ClientError>>,
    {
        let limit = if self.all { Some(200) } else { self.limit };
        let mut page = fetch(Paging { limit, cursor: self.cursor.clone() }).await?;
        while self.all && page.next_cursor.is_some() {
            let next = fetch(Paging { limit, cursor: page.next_cursor.take() }).await?;
            page.items.extend(next.items);
            page.next_cursor = next.next_cursor;
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
