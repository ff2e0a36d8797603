mod confirm;
