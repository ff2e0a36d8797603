-- How many requests were answered, by their route's pattern, method and class of status: the Worker's isolates count for
-- themselves and add up here, together with what else came within some seconds. As many rows as there are routes to ask.

create table request_counts (
  route text not null check (route <> ''),
  method text not null check (method <> ''),
  class integer not null check (class between 1 and 5),
  requests integer not null check (requests > 0),
  primary key (route, method, class)
) strict, without rowid;
