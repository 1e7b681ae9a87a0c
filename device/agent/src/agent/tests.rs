mod chaos;
mod faults;
mod flash;
mod happy_path;
mod service;
mod shadow;
mod table;
mod world;
