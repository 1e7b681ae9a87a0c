//! A real PostgreSQL for tests, started on demand.
//!
//! The first test that asks starts one cluster for the whole run; every test
//! process after it joins, each test gets its own database, and a watcher
//! stops the cluster once nobody has used it for a minute. A machine without
//! PostgreSQL fails the test with the name of the package: nothing is skipped.
//!
//! Start at [`Database::fresh`]. It never touches a PostgreSQL it did not start.

mod cluster;
mod installation;

use cluster::{Cluster, Durability};
use std::sync::atomic::{AtomicU32, Ordering};

/// A database of its own for one test, dropped with its sessions when it goes out of scope.
pub struct Database {
    cluster: &'static Cluster,
    name: String,
    url: String,
}

impl Database {
    /// Creates an empty UTF-8 database on the shared cluster, which does not wait for the disk.
    ///
    /// Everything else is PostgreSQL as in production; only a power cut of the
    /// machine could tell the difference.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed or does not start; the message says what to do.
    pub fn fresh() -> Database {
        Database::on(Durability::Fast)
    }

    /// As [`Database::fresh`], on a second cluster that waits for the disk at every commit.
    ///
    /// # Panics
    ///
    /// As [`Database::fresh`].
    pub fn fresh_durable() -> Database {
        Database::on(Durability::Durable)
    }

    /// `postgres://…` with user and password, over loopback TCP.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends every session on this database, as a restart of the server does.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub fn end_sessions(&self) {
        let end = format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        self.cluster.execute(&[&end]).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Runs each statement in this database as the superuser, each in its own transaction.
    ///
    /// # Errors
    ///
    /// What PostgreSQL says to the first that it refuses.
    pub fn execute(&self, statements: &[&str]) -> Result<(), String> {
        let ran = self.cluster.execute_in(&self.name, statements);
        ran.map_err(|error| format!("{error:#}"))
    }

    fn on(durability: Durability) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());

        let cluster = Cluster::join(durability).unwrap_or_else(|error| panic!("{error:#}"));
        // A process killed earlier may have had this number and left its database behind.
        // template0 accepts no sessions, so parallel tests never find it busy.
        let create = cluster.execute(&[
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        ]);
        create.unwrap_or_else(|error| panic!("{error:#}"));
        Database { cluster, url: format!("{}/{name}", cluster.address()), name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = &self.name;
        if let Err(error) =
            self.cluster.execute(&[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")])
        {
            eprintln!("could not drop the test database {name}: {error:#}");
        }
    }
}
