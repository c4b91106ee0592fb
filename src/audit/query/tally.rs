//! Groups counted from the columns of an index, without a line.

use super::field::Field;
use super::group::{Count, Counter};
use super::plan::Chosen;
use crate::audit::index::{Column, INDEXED, Index, Unusable};

/// Combinations that are counted by their place in a table; with more, by a map.
const TABLE_MAX: usize = 1 << 16;

/// Whether an index can tell what is counted by.
pub(super) fn can(counter: &Counter) -> bool {
    counter.grouping().by.iter().all(|field| INDEXED.contains(field))
}

/// Counts the chosen rows of a file by all of its columns that the groupings need.
pub(super) fn count(
    index: &Index,
    chosen: &Chosen,
    counters: &mut [Counter],
) -> Result<(), Unusable> {
    let mut columns: Vec<(Field, Column)> = Vec::new();
    for field in counters.iter().flat_map(|counter| counter.grouping().by.clone()) {
        if columns.iter().all(|(there, _)| *there != field) {
            columns.push((field, index.field(field)?));
        }
    }
    let times = index.time()?;
    for counter in counters {
        let columns: Vec<&Column> = counter
            .grouping()
            .by
            .iter()
            .filter_map(|field| columns.iter().find(|(there, _)| there == field))
            .map(|(_, column)| column)
            .collect();
        one(&columns, &times, chosen, counter);
    }
    Ok(())
}

fn one(columns: &[&Column], times: &[i64], chosen: &Chosen, counter: &mut Counter) {
    let size = columns.iter().try_fold(1_usize, |size, column| {
        size.checked_mul(column.entries.len()).filter(|size| *size <= TABLE_MAX)
    });
    let codes: Vec<Vec<Vec<u32>>> = columns.iter().map(|column| codes(column, counter)).collect();
    match size {
        Some(size) => by_table(columns, &codes, size, (times, chosen), counter),
        None => by_map(columns, &codes, (times, chosen), counter),
    }
}

/// The counter's codes of each entry's values.
fn codes(column: &Column, counter: &mut Counter) -> Vec<Vec<u32>> {
    let entry = |values: &Vec<String>| match values.is_empty() {
        true => vec![0],
        false => values.iter().map(|value| counter.code(value)).collect(),
    };
    column.entries.iter().map(entry).collect()
}

/// Rows of one combination and one span of time come together: they are counted in a table, which
/// is emptied into the counter when the next span begins.
fn by_table(
    columns: &[&Column],
    codes: &[Vec<Vec<u32>>],
    size: usize,
    (times, chosen): (&[i64], &Chosen),
    counter: &mut Counter,
) {
    let mut places = vec![0_usize; times.len()];
    for column in columns {
        for (place, code) in places.iter_mut().zip(&column.codes) {
            *place = *place * column.entries.len() + usize::try_from(*code).unwrap_or_default();
        }
    }
    let mut table = vec![Count::NONE; size.max(1)];
    let mut touched: Vec<usize> = Vec::new();
    let mut bucket = (i64::MAX, i64::MIN);
    let empty =
        |table: &mut Vec<Count>, touched: &mut Vec<usize>, bucket, counter: &mut Counter| {
            for place in touched.drain(..) {
                let Some(count) = table.get_mut(place) else { continue };
                let count = std::mem::replace(count, Count::NONE);
                let values = values_at(place, columns, codes);
                counter.add_many(bucket, &values, count);
            }
        };
    let rows = times.iter().zip(&places).zip(&chosen.rows);
    for ((time, place), _) in rows.filter(|(_, chosen)| **chosen) {
        if *time < bucket.0 || *time >= bucket.1 {
            empty(&mut table, &mut touched, bucket.0, counter);
            bucket = counter.span(*time);
        }
        if let Some(count) = table.get_mut(*place) {
            if count.count == 0 {
                touched.push(*place);
            }
            count.add(*time);
        }
    }
    empty(&mut table, &mut touched, bucket.0, counter);
}

/// The values of a place in the table.
fn values_at(mut place: usize, columns: &[&Column], codes: &[Vec<Vec<u32>>]) -> Vec<Vec<u32>> {
    let mut values: Vec<Vec<u32>> = columns
        .iter()
        .zip(codes)
        .rev()
        .map(|(column, codes)| {
            let entries = column.entries.len().max(1);
            let entry = place % entries;
            place /= entries;
            codes.get(entry).cloned().unwrap_or_default()
        })
        .collect();
    values.reverse();
    values
}

fn by_map(
    columns: &[&Column],
    codes: &[Vec<Vec<u32>>],
    (times, chosen): (&[i64], &Chosen),
    counter: &mut Counter,
) {
    let mut values: Vec<Vec<u32>> = vec![Vec::new(); columns.len()];
    let rows = times.iter().zip(&chosen.rows).enumerate();
    for (row, (time, _)) in rows.filter(|(_, (_, chosen))| **chosen) {
        for ((value, column), codes) in values.iter_mut().zip(columns).zip(codes) {
            let code = column.codes.get(row).and_then(|code| usize::try_from(*code).ok());
            value.clear();
            value.extend_from_slice(
                code.and_then(|code| codes.get(code)).map_or(&[], Vec::as_slice),
            );
        }
        counter.add(*time, &values);
    }
}
