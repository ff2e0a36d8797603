//! What Prometheus makes of `/metrics`, more strictly than it: every family in one piece under its help and type, every
//! sample once, every number whole.

use std::collections::BTreeMap;

/// A text in Prometheus' format, as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrape {
    /// The type of each family.
    pub types: BTreeMap<String, String>,
    /// Every sample, by its name and its labels as they stand.
    pub samples: BTreeMap<String, i64>,
}

impl Scrape {
    /// Reads a text.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        let mut family = String::new();
        let mut lines = text.lines();
        assert!(text.ends_with('\n'), "the last line ends too");
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.ends_with('.'), "{line}");
                let (typed, kind) =
                    lines.next().unwrap().strip_prefix("# TYPE ").unwrap().split_once(' ').unwrap();
                assert_eq!(typed, name, "a type stands under its help");
                assert!(["gauge", "counter", "histogram"].contains(&kind), "{kind}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                assert!(name.starts_with("tenantry_"), "{name}");
                let before = read.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} begins twice");
                name.clone_into(&mut family);
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let suffixes: &[&str] =
                if read.types[&family] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
            let before = read.samples.insert(sample.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{sample} is told twice");
        }
        read
    }

    /// The number of a sample.
    #[track_caller]
    pub fn of(&self, sample: &str) -> i64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    /// The samples whose names begin so, without that beginning.
    pub fn beginning(&self, start: &str) -> Vec<(&str, i64)> {
        self.samples
            .iter()
            .filter_map(|(sample, value)| Some((sample.strip_prefix(start)?, *value)))
            .collect()
    }

    /// What is different in a later scrape, and how much more it is there.
    pub fn until(&self, later: &Self) -> BTreeMap<String, i64> {
        let more = |sample: &String| {
            later.samples.get(sample).unwrap_or(&0) - self.samples.get(sample).unwrap_or(&0)
        };
        let all = self.samples.keys().chain(later.samples.keys());
        all.map(|sample| (sample.clone(), more(sample))).filter(|(_, more)| *more != 0).collect()
    }
}
