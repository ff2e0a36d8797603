mod email;
mod signup;
