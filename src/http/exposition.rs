//! Prometheus' text format, version 0.0.4: families of samples under their `HELP` and `TYPE`. All of ours are whole numbers.

use std::fmt::Write;

/// What a text in this format is sent as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The labels of a sample: names, and values that may be anything.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text under way.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// A family of the text. A family stands in one piece: whoever begins the next has ended it.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Begins a family of numbers that may rise and fall.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a family of numbers that only rise.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a family of distributions.
    pub fn histogram(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        self.push(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.0, name }
    }

    fn push(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

impl Family<'_> {
    /// A sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: i64) -> &mut Self {
        self.line("", labels, None, value)
    }

    /// A distribution: how many lie within each of `bounds` but not the one before, at last how many beyond, and the sum of
    /// them all. The format wants each bucket with those below it.
    pub fn distribution(
        &mut self,
        labels: Labels<'_>,
        bounds: &[i64],
        counts: &[i64],
        sum: i64,
    ) -> &mut Self {
        let ends = bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        let mut within = 0;
        for (end, count) in ends.zip(counts) {
            within += count;
            self.line("_bucket", labels, Some(&end), within);
        }
        self.line("_sum", labels, None, sum).line("_count", labels, None, within)
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, le: Option<&str>, value: i64) -> &mut Self {
        let all = labels.iter().copied().chain(le.map(|end| ("le", end)));
        let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let braced = if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) };
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{}{suffix}{braced} {value}", self.name);
        self
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_stands_under_its_help_and_type() {
        let mut text = Exposition::default();
        text.gauge("clubs", "How many.").sample(&[("plan", "pro"), ("status", "trial")], 3).sample(&[], -1);
        text.counter("signups_total", "So many.").sample(&[], 5);
        assert_eq!(
            text.into_text(),
            "# HELP clubs How many.\n# TYPE clubs gauge\nclubs{plan=\"pro\",status=\"trial\"} 3\nclubs -1\n\
             # HELP signups_total So many.\n# TYPE signups_total counter\nsignups_total 5\n"
        );
    }

    #[test]
    fn buckets_hold_those_below_them_too() {
        let mut text = Exposition::default();
        text.histogram("took", "So long.").distribution(&[("plan", "pro")], &[1, 5], &[2, 0, 1], 99);
        let lines: Vec<String> = text.into_text().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                r#"took_bucket{plan="pro",le="1"} 2"#,
                r#"took_bucket{plan="pro",le="5"} 2"#,
                r#"took_bucket{plan="pro",le="+Inf"} 3"#,
                r#"took_sum{plan="pro"} 99"#,
                r#"took_count{plan="pro"} 3"#,
            ]
        );
    }

    #[test]
    fn no_value_of_a_label_ends_it() {
        let mut text = Exposition::default();
        text.gauge("g", "G.").sample(&[("v", "a\"} 1\nb\\")], 1);
        assert!(text.into_text().ends_with("g{v=\"a\\\"} 1\\nb\\\\\"} 1\n"));
    }
}
