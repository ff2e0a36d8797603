//! The colour that a mail has, and what is written on it.

use crate::domain::HexColor;

/// A colour to fill with, what can be read on it, and the line around it where it would vanish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accent {
    pub fill: String,
    pub text: &'static str,
    pub edge: String,
}

/// Our own: on each page it is seen, and on it white is read.
const OURS: &str = "#0f5c45";
/// What is seen on a light page and on a dark one.
const EDGE: &str = "#7b857f";
/// What a mail's own ground looks like, light and dark.
const GROUNDS: [f32; 2] = [1.0, 0.013];

impl Accent {
    /// Of a tenant's first colour, or else of ours.
    pub fn of(color: Option<&HexColor>) -> Self {
        let fill = color.map_or(OURS, HexColor::as_str);
        let luminance = luminance(fill);
        let text = if contrast(luminance, 1.0) >= contrast(luminance, 0.0) { "#ffffff" } else { "#000000" };
        let vanishes = GROUNDS.into_iter().any(|ground| contrast(luminance, ground) < 1.6);
        let edge = if vanishes { EDGE } else { fill };
        Self { fill: fill.to_owned(), text, edge: edge.to_owned() }
    }
}

/// How much light a colour like `#1a2b3c` gives, from 0 to 1.
fn luminance(color: &str) -> f32 {
    let channel = |at: usize| {
        let digits = color.get(at..at + 2).unwrap_or("00");
        let value = f32::from(u8::from_str_radix(digits, 16).unwrap_or(0)) / 255.0;
        // Within a hundredth of the curve of sRGB, and without its power.
        value * (value * (value * 0.305_306 + 0.682_171_1) + 0.012_522_9)
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: f32, other: f32) -> f32 {
    let (lighter, darker) = if one > other { (one, other) } else { (other, one) };
    (lighter + 0.05) / (darker + 0.05)
}

/// How well one colour is read on another, as WCAG has it.
#[cfg(test)]
pub(super) fn readable(one: &str, other: &str) -> f32 {
    let luminance = |color: &str| {
        let channel = |at: usize| {
            let value = f32::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    contrast(luminance(one), luminance(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accent(color: &str) -> Accent {
        Accent::of(Some(&HexColor::try_from(color.to_owned()).unwrap()))
    }

    #[test]
    fn what_is_written_on_any_colour_can_be_read() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let accent = accent(&format!("#{red:02x}{green:02x}{blue:02x}"));
                    let readable = readable(&accent.fill, accent.text);
                    assert!(readable >= 4.5, "{accent:?}: {readable}");
                }
            }
        }
    }

    #[test]
    fn no_button_vanishes_on_a_light_or_a_dark_ground() {
        for color in ["#ffffff", "#000000", "#fefefe", "#18201d", "#0f5c45", "#ffff00", "#7f7f7f"] {
            let accent = accent(color);
            for ground in ["#ffffff", "#18201d"] {
                let seen = readable(&accent.fill, ground).max(readable(&accent.edge, ground));
                assert!(seen >= 1.6, "{color} on {ground}: {seen}");
            }
        }
        assert_eq!(accent("#ffffff").edge, EDGE);
        assert_eq!(accent("#1a6b3c").edge, "#1a6b3c");
    }
}
