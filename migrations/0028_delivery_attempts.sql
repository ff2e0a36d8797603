-- Every attempt at a delivery, and how a webhook took its last test.

-- JSON, the last attempts in their order: [{"c": by which claim, "at": Unix milliseconds, "status", "error", "ms"}]. It goes with its row.
alter table webhook_deliveries add column history text check (json_valid(history));
alter table platform_deliveries add column history text check (json_valid(history));

alter table make_connections add column last_test_at integer;
alter table make_connections add column last_test_ok integer check (last_test_ok in (0, 1));
alter table make_connections add column last_test_status integer;
