# Characters of others that a terminal must not obey or hide. These are controls (C0, C1), and characters that change the direction of
# reading, break lines or have no width. Tabs are let through: jq reads by lines.
def obeyed: (. < 32 and . != 9) or (. >= 127 and . < 160) or . == 173 or . == 1564 or . == 6158 or (. >= 8203 and . <= 8207)
  or (. >= 8232 and . <= 8238) or (. >= 8288 and . <= 8303) or . == 65279 or (. >= 65529 and . <= 65531) or (. >= 917504 and . <= 921599);

def harmless: explode | map(if obeyed then 63 else . end) | implode;

def hex_digits($digits): . as $n | [range($digits - 1; -1; -1) | ($n / pow(16; .) | floor) % 16] | map("0123456789abcdef"[.:. + 1]) | join("");

# The same of JSON: it stays what it says.
def harmless_json: explode
  | map(if obeyed | not then [.] | implode
      elif . < 65536 then "\\u" + hex_digits(4)
      else (. - 65536) | "\\u" + (55296 + (. / 1024 | floor) | hex_digits(4)) + "\\u" + (56320 + . % 1024 | hex_digits(4))
      end)
  | join("");
