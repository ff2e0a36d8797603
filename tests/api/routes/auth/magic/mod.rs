mod start;
mod verify;
