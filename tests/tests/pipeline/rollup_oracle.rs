//! What buckets and answers must be, asked of the samples directly.

use muster_tests::database::Database;

/// A real holds 24 binary digits: rounding to the nearest is off by at most 6e-8 of the value.
/// Means are summed in another order besides, which is far less.
const TOLERANCE: &str = "1.2e-7";

/// Below this a real has fewer digits, and the smallest become 0.
const TINY: &str = "1e-37";

/// The buckets that are not what a direct aggregate over the samples says, a line for each table.
pub async fn differing_buckets(database: &Database) -> Vec<String> {
    let mut found = Vec::new();
    let sql = "SELECT name, source, keys, minutes FROM rollups ORDER BY name";
    for row in database.client.query(sql, &[]).await.unwrap() {
        let (name, source): (String, String) = (row.get(0), row.get(1));
        let (keys, minutes): (Vec<String>, bool) = (row.get(2), row.get(3));
        let figures = "SELECT figure, expression FROM rollup_figures WHERE rollup = $1";
        let figures: Vec<(String, String)> = database
            .client
            .query(figures, &[&name])
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        for (suffix, width, there) in [("_1m", "1 minute", minutes), ("_1h", "1 hour", true)] {
            if there {
                let table = format!("{name}{suffix}");
                let sql = difference(&table, width, &source, &keys, &figures);
                let row = database.client.query_one(&sql, &[]).await.unwrap();
                let (wrong, all): (i64, i64) = (row.get(0), row.get(1));
                if wrong > 0 {
                    found.push(format!("{table}: {wrong} of {all} buckets"));
                }
            }
        }
    }
    found
}

fn difference(
    table: &str,
    width: &str,
    source: &str,
    keys: &[String],
    figures: &[(String, String)],
) -> String {
    let keys = keys.iter().fold(String::new(), |keys, key| keys + ", " + key);
    let mut direct = String::new();
    let mut wrong = String::from("b.n IS DISTINCT FROM d.direct_n");
    for (index, (figure, expression)) in figures.iter().enumerate() {
        direct.extend([format!(
            ", sum(({expression})::float8) / nullif(count({expression}), 0) AS a{index}, \
             min(({expression})::float8) AS l{index}, max(({expression})::float8) AS h{index}, \
             count({expression}) AS c{index}"
        )]);
        let n = format!("CASE WHEN b.{figure} IS NULL THEN 0 ELSE coalesce(b.{figure}_n, b.n) END");
        wrong.extend([format!(" OR {n} <> d.c{index}")]);
        for (stored, asked) in [
            (format!("b.{figure}"), format!("d.a{index}")),
            (format!("coalesce(b.{figure}_min, b.{figure})"), format!("d.l{index}")),
            (format!("coalesce(b.{figure}_max, b.{figure})"), format!("d.h{index}")),
        ] {
            wrong.extend([format!(
                " OR ({stored} IS NULL) <> ({asked} IS NULL) OR abs({stored} - {asked}) > \
                 greatest({TINY}, {TOLERANCE} * abs(d.l{index}), {TOLERANCE} * abs(d.h{index}))"
            )]);
        }
    }
    format!(
        "SELECT count(*) FILTER (WHERE {wrong}), count(*)
         FROM {table} AS b
         FULL JOIN (
             SELECT date_bin('{width}', ts, '2000-01-03Z') AS ts, host_id{keys},
                    count(*) AS direct_n{direct}
             FROM {source} GROUP BY 1, 2{keys}
         ) AS d USING (ts, host_id{keys})"
    )
}

/// Numeric columns of rolled up tables that no figure tells of.
pub async fn figures_missing(database: &Database) -> Vec<String> {
    let sql = "
        SELECT raw || '.' || column_name
        FROM rollups JOIN information_schema.columns ON table_name = raw
        WHERE data_type IN ('real', 'double precision', 'bigint', 'integer', 'smallint')
          AND NOT EXISTS (
              SELECT FROM rollup_figures JOIN rollups AS r ON r.name = rollup
              WHERE r.raw = rollups.raw AND figure = column_name)
        GROUP BY 1 ORDER BY 1";
    let rows = database.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
