mod chaos;
mod faults;
mod happy_path;
mod shadow;
mod table;
mod world;
