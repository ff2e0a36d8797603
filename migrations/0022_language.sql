-- The language of a club's mails: en or de, as its signup said. Clubs of before, and those of a version that knows no languages, have
-- none and get English. A language that a later version adds reads as English here.

alter table tenants add column language text check (language <> '');
