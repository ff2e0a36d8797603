mod tokens_revoke;
