mod logout;
mod magic;
