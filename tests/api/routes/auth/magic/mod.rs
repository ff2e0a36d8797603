mod code;
mod start;
mod verify;
