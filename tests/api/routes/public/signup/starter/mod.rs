mod another;
mod make;
