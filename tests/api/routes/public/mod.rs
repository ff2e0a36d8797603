mod signup;
