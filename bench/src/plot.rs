//! Plots of a report as SVG files that need nothing else: percentiles of latencies, a file a comparison, and what a size
//! costs. Greys and middle tones alone, on no ground, so that they can be read on light and on dark.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use engine::error::SetupError;

use crate::machine::Machine;
use crate::report::{Report, Row};
use crate::rig::Placement;

/// Size of a plot, of the place for the curves in it, and of a line of the legend.
const SIZE: (f64, f64) = (960.0, 460.0);
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const RIGHT: f64 = 590.0;
const BOTTOM: f64 = 400.0;
const LEGEND_STEP: f64 = 18.0;

const GREY: &str = "#808080";
const COLOURS: [&str; 8] =
    ["#3b82f6", "#ef4444", "#10b981", "#d97706", "#8b5cf6", "#ec4899", "#0891b2", "#65a30d"];

/// The highest percentile shown lies so many nines away.
const NINES: f64 = 4.0;

/// Fewer times than this are no distribution.
const COUNT_MIN: u64 = 10;

/// A curve: its name, and points of positive height.
type Curve = (String, Vec<(f64, f64)>);

/// Curves over a common axis; heights in nanoseconds on a logarithmic scale.
struct Plot {
    title: String,
    under: &'static str,
    ticks: Vec<(f64, String)>,
    curves: Vec<Curve>,
}

/// Writes the plots of `report` into `directory`, which is made if it is not there; says how many.
///
/// # Errors
/// When a file cannot be written.
pub fn write(report: &Report, machine: &Machine, directory: &Path) -> Result<usize, SetupError> {
    std::fs::create_dir_all(directory).map_err(|error| SetupError::io(directory, "making it", error))?;
    let plots = plots(report);
    for plot in &plots {
        let path = directory.join(format!("{}.svg", file_name(&plot.title)));
        let text = plot.svg(&machine.to_string());
        std::fs::write(&path, text).map_err(|error| SetupError::io(path, "writing it", error))?;
    }
    Ok(plots.len())
}

fn plots(report: &Report) -> Vec<Plot> {
    // Rows of one comparison have the same words before the colon.
    let mut compared: BTreeMap<(&str, &str, Placement), Vec<Curve>> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in report.rows.iter().filter(|row| row.unit == "ns" && row.times.count() >= COUNT_MIN) {
        if row.size.is_some() {
            sizes.entry(row.suite).or_default().push(row);
        }
        let (what, who) = row.name.split_once(": ").unwrap_or(("", &row.name));
        let curve = (who.to_owned(), of_percentiles(row));
        compared.entry((row.suite, what, row.placement)).or_default().push(curve);
    }
    let nines = ["0", "90", "99", "99.9", "99.99"].iter().zip(0_u8..);
    let ticks: Vec<_> = nines.map(|(&label, x)| (f64::from(x), label.to_owned())).collect();
    let percentiles = compared.iter().map(|(&(suite, what, placement), curves)| {
        let words = [suite, what, placement.as_str()];
        let words: Vec<_> = words.into_iter().filter(|word| !matches!(*word, "" | "-")).collect();
        // One thread's curves stand again beside those of two cores.
        let alone = compared.get(&(suite, what, Placement::Alone)).filter(|_| placement != Placement::Alone);
        let curves = alone.into_iter().flatten().chain(curves).cloned().collect();
        Plot { title: words.join(", "), under: "percentile", ticks: ticks.clone(), curves }
    });
    percentiles.chain(sizes.into_iter().map(|(suite, rows)| of_sizes(suite, &rows))).collect()
}

/// Times by their percentile, a nine being as wide as the one before, as far as there are times to tell.
fn of_percentiles(row: &Row) -> Vec<(f64, f64)> {
    let last = (row.times.count() as f64).log10().min(NINES);
    let steps = 80_u8;
    let nines = (0..=steps).map(|step| last * f64::from(step) / f64::from(steps));
    nines.map(|nines| (nines, row.times.at(1.0 - 10_f64.powf(-nines)))).collect()
}

/// What a size costs, at three percentiles.
fn of_sizes(suite: &str, rows: &[&Row]) -> Plot {
    let sized = || rows.iter().filter_map(|row| Some((row.size?, row)));
    let curve = |(name, part): (&str, f64)| {
        (name.to_owned(), sized().map(|(size, row)| ((size as f64).log10(), row.times.at(part))).collect())
    };
    Plot {
        title: format!("{suite}, by size"),
        under: "instruments",
        ticks: sized().map(|(size, _)| ((size as f64).log10(), size.to_string())).collect(),
        curves: [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map(curve).into(),
    }
}

impl Plot {
    /// As a document; `origin` tells where the figures are from.
    fn svg(&self, origin: &str) -> String {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
             font-size=\"13\" fill=\"{GREY}\">\n<title>{}</title>\n<desc>{}</desc>\n",
            SIZE.0,
            SIZE.1,
            escaped(&self.title),
            escaped(origin)
        );
        let heights =
            || self.curves.iter().flat_map(|(_, points)| points.iter().map(|point| height(point.1)));
        let (low, high) = heights().fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
        let (low, high) = (low - 0.05, high + 0.05);
        let widest = self.ticks.iter().map(|tick| tick.0).fold(f64::MIN_POSITIVE, f64::max);
        let x = |value: f64| LEFT + (RIGHT - LEFT) * value / widest;
        let y = |value: f64| BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low);
        text(&mut out, (LEFT, 24.0), "start", &self.title);
        text(&mut out, (f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0), "middle", self.under);
        for (at, label) in &self.ticks {
            rule(&mut out, (x(*at), TOP), (x(*at), BOTTOM));
            text(&mut out, (x(*at), BOTTOM + 20.0), "middle", label);
        }
        for (at, label) in times_between(low, high) {
            rule(&mut out, (LEFT, y(at)), (RIGHT, y(at)));
            text(&mut out, (LEFT - 8.0, y(at) + 4.0), "end", &label);
        }
        for (number, (name, points)) in self.curves.iter().enumerate() {
            let (colour, dashes) = (COLOURS[number % COLOURS.len()], 6 * (number / COLOURS.len()));
            let stroke = format!(
                "stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes} {}\"",
                dashes / 2
            );
            let points: Vec<_> =
                points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(height(point.1)))).collect();
            let _ = writeln!(out, "<polyline fill=\"none\" {stroke} points=\"{}\"/>", points.join(" "));
            let middle = TOP + 6.0 + LEGEND_STEP * number as f64;
            let (from, to) = (RIGHT + 14.0, RIGHT + 40.0);
            let _ = writeln!(out, "<path {stroke} d=\"M{from:.1} {middle:.1}H{to:.1}\"/>");
            text(&mut out, (to + 8.0, middle + 4.0), "start", name);
        }
        out.push_str("</svg>\n");
        out
    }
}

/// Where a time lies: half a nanosecond is the least that can be told from nothing.
fn height(nanos: f64) -> f64 {
    nanos.max(0.5).log10()
}

/// Heights of round times, and what to call them: all of 1, 2 and 5 where there is room.
fn times_between(low: f64, high: f64) -> Vec<(f64, String)> {
    let steps: &[f64] = if high - low < 3.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = (-1..12).flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
    let shown = decades.filter(|time| (low..=high).contains(&time.log10()));
    let label = |time: f64| match time {
        second if second >= 1e9 => format!("{} s", second / 1e9),
        milli if milli >= 1e6 => format!("{} ms", milli / 1e6),
        micro if micro >= 1e3 => format!("{} us", micro / 1e3),
        nano => format!("{nano} ns"),
    };
    shown.map(|time| (time.log10(), label(time))).collect()
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn rule(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ends = format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1);
    let _ = writeln!(out, "<path stroke=\"{GREY}\" stroke-opacity=\"0.3\" d=\"{ends}\"/>");
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Letters and digits, everything between them one dash.
fn file_name(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;
    use engine::domain::Nanos;

    fn row(suite: &'static str, name: &str, placement: Placement, nanos: i64) -> Row {
        let mut times = Histogram::default();
        (1..=1_000).for_each(|n| times.record(Nanos(nanos + n)));
        Row::times(suite, name, placement, times)
    }

    /// The points of every curve of a document.
    fn curves(svg: &str) -> Vec<Vec<(f64, f64)>> {
        let points = svg.lines().filter_map(|line| line.split_once(" points=\"")?.1.split_once('"'));
        let point = |pair: &str| {
            let (x, y) = pair.split_once(',').expect("a pair");
            (x.parse().expect("a number"), y.parse().expect("a number"))
        };
        points.map(|(points, _)| points.split(' ').map(point).collect()).collect()
    }

    #[test]
    fn what_is_compared_shares_a_plot_and_the_slower_lies_above() {
        let mut report = Report::default();
        report.push(row("ring", "round trip: ours", Placement::Near, 100));
        report.push(row("ring", "round trip: <peer> & co", Placement::Near, 50_000));
        report.push(row("ring", "one way: ours", Placement::Far, 500));
        report.push(row("ring", "one way: on one thread", Placement::Alone, 50));
        let plots = plots(&report);
        let found: Vec<_> = plots.iter().map(|plot| (file_name(&plot.title), plot.curves.len())).collect();
        let expected = [("ring-one-way", 1), ("ring-one-way-far", 2), ("ring-round-trip-near", 2)];
        assert_eq!(found, expected.map(|(name, curves)| (name.to_owned(), curves)));
        let svg = plots[2].svg("a machine");
        assert_eq!(svg, plots[2].svg("a machine"));
        assert!(svg.contains("&lt;peer&gt; &amp; co") && !svg.contains("<peer>"), "{svg}");
        let [ours, peer] = &curves(&svg)[..] else { panic!("two curves: {svg}") };
        assert!(ours.iter().zip(peer).all(|(ours, peer)| ours.0 == peer.0 && ours.1 > peer.1));
        assert!(ours.is_sorted_by(|before, after| before.0 < after.0 && before.1 >= after.1));
        let inside = |&(x, y): &(f64, f64)| (LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y);
        assert!(ours.iter().chain(peer).all(inside), "{svg}");
    }

    #[test]
    fn sizes_make_a_plot_of_their_own_and_what_is_no_time_none() {
        let mut report = Report::default();
        for size in [1, 10, 1_000] {
            report.push(row("growth", &format!("{size} instruments"), Placement::Alone, 700).of_size(size));
        }
        report.push(Row { unit: "bytes", ..row("growth", "memory", Placement::Alone, 1) });
        let plots = plots(&report);
        let found: Vec<_> = plots.iter().map(|plot| (plot.title.as_str(), plot.curves.len())).collect();
        assert_eq!(found, [("growth", 3), ("growth, by size", 3)]);
        let xs: Vec<_> = curves(&plots[1].svg(""))[0].iter().map(|point| point.0).collect();
        assert!((xs[0] - LEFT).abs() < 0.1 && (xs[2] - RIGHT).abs() < 0.1, "{xs:?}");
        assert!((xs[1] - (LEFT + (RIGHT - LEFT) / 3.0)).abs() < 0.1, "{xs:?}");
    }
}
