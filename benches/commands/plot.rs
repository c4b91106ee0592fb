//! A plot of series on two logarithmic axes, as SVG text.

use std::fmt::Write;

/// One line of a plot.
pub struct Series {
    /// What it is called.
    pub name: &'static str,
    /// Bytes and microseconds.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 190.0;
const BOTTOM: f64 = 50.0;

/// The plot: bytes from left to right, time upwards, each line named at its end.
#[must_use]
pub fn svg(title: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let all = points().map(of).map(f64::log10);
        let low = all.clone().fold(f64::INFINITY, f64::min).floor();
        (low, all.fold(f64::NEG_INFINITY, f64::max).ceil())
    };
    let (x_low, x_high) = (10.0, 16.0); // powers of two
    let (y_low, y_high) = range(|point| point.1);
    let x = |bytes: f64| LEFT + (bytes.log2() - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT);
    let y = |took: f64| {
        HEIGHT - BOTTOM - (took.log10() - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    let mut power = x_low;
    while power <= x_high {
        let at = x(2_f64.powf(power));
        let kibibytes = 2_f64.powf(power - 10.0);
        line(format!(
            "<line x1=\"{at:.0}\" y1=\"{TOP}\" x2=\"{at:.0}\" y2=\"{:.0}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{kibibytes} KiB</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0
        ));
        power += 1.0;
    }
    let mut power = y_low;
    while power <= y_high {
        let at = y(10_f64.powf(power));
        line(format!(
            "<line x1=\"{LEFT}\" y1=\"{at:.0}\" x2=\"{:.0}\" y2=\"{at:.0}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{} µs</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            10_f64.powf(power)
        ));
        power += 1.0;
    }
    // What grows as the text does is parallel to this.
    let (from, to) = (10_f64.powf(y_low + 1.0), 10_f64.powf(y_low + 1.0) * 64.0);
    line(format!(
        "<line x1=\"{:.0}\" y1=\"{:.0}\" x2=\"{:.0}\" y2=\"{:.0}\" stroke=\"#999\" \
         stroke-dasharray=\"6 4\"/><text x=\"{LEFT}\" y=\"{:.0}\" fill=\"#666\">dashed: in \
         proportion to the bytes</text>",
        x(1024.0),
        y(from),
        x(65536.0),
        y(to),
        HEIGHT - 12.0
    ));
    names(series, x, y, &mut line);
    out.push_str("</svg>\n");
    out
}

/// The lines, and their names beside each other at the right.
fn names(
    series: &[Series],
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
    line: &mut impl FnMut(String),
) {
    let mut order: Vec<&Series> = series.iter().collect();
    let last = |series: &Series| series.points.last().map_or(0.0, |point| point.1);
    order.sort_by(|a, b| last(b).total_cmp(&last(a)));
    let mut free = TOP;
    for (nth, series) in order.iter().enumerate() {
        let hue = nth * 360 / order.len().max(1);
        let color = format!("hsl({hue},60%,42%)");
        let points: Vec<String> = series
            .points
            .iter()
            .map(|(at, took)| format!("{:.1},{:.1}", x(*at), y(*took)))
            .collect();
        let at = (y(last(series)) + 4.0).max(free);
        free = at + 13.0;
        line(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>\
             <text x=\"{:.0}\" y=\"{at:.0}\" fill=\"{color}\">{}</text>",
            points.join(" "),
            WIDTH - RIGHT + 8.0,
            series.name.replace('&', "&amp;")
        ));
    }
}
