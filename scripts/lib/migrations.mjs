// What a migration may do: only add, or put another trigger in the place of one of the same name. The version before runs on the new schema while a deployment goes out, and after a rollback.

const RULES = [
  [/^drop\b/, "drops"],
  [/^alter\s+table\b.*?\srename\b/, "renames"],
  [/^alter\s+table\s+\S+\s+drop\b/, "drops a column"],
  [/^(delete|truncate)\b/, "deletes rows"],
  [/^pragma\s+(writable_schema|legacy_alter_table)\b/, "rewrites the schema by hand"],
];

/** What a migration's text removes, one line for each such statement. Empty when it only adds. */
export function contractions(sql) {
  const all = statements(sql);
  return all.flatMap((statement, place) => {
    const [, trigger] = /^drop trigger (\w+)$/.exec(statement) ?? [];
    if (trigger && all[place + 1]?.startsWith(`create trigger ${trigger} `)) return [];
    const line = statement.length > 100 ? `${statement.slice(0, 99)}…` : statement;
    const broken = RULES.find(([pattern]) => pattern.test(statement));
    if (broken) return [`${broken[1]}: ${line}`];
    if (addsRequiredColumn(statement))
      return [`adds a column that is not null and has no default, which older versions don't fill: ${line}`];
    return [];
  });
}

const addsRequiredColumn = (statement) =>
  /^alter\s+table\s+\S+\s+add\b/.test(statement) && /\bnot\s+null\b/.test(statement) && !/\bdefault\b(?!\s+null\b)/.test(statement);

/** The statements in lower case, without comments, and with every text emptied: a word in it is no command. */
function statements(sql) {
  const bare = sql.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\[[^\]]*\]|`[^`]*`|--[^\n]*|\/\*.*?\*\//gs, (part) => {
    if (/^(--|\/\*)/.test(part)) return " ";
    return part.startsWith("'") ? "''" : part.replaceAll(/\W+/g, "_");
  });
  return bare
    .split(";")
    .map((statement) => statement.replaceAll(/\s+/g, " ").trim().toLowerCase())
    .filter(Boolean);
}
