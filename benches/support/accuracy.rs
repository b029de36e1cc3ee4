//! Errors of estimators on games with known values: what was measured, and how it is told.

use serde_json::{Value, json};

/// Errors below this are rounding and count alike.
const ROUNDING: f64 = 1e-6;

/// One estimator under one budget: mean error over the records, for each seed.
pub struct Cell {
    pub estimator: String,
    pub by_seed: Vec<f64>,
}

pub struct Row {
    pub n_samples: u64,
    /// The first is `kernel-shap`, the second `trend`; then the peers.
    pub cells: Vec<Cell>,
}

pub struct Measured {
    pub game: String,
    pub is_held_out: bool,
    pub n_players: usize,
    pub rows: Vec<Row>,
}

impl Cell {
    pub fn mean(&self) -> f64 {
        self.by_seed.iter().sum::<f64>() / self.by_seed.len() as f64
    }

    /// Largest less smallest of the seeds, as a share of the mean.
    fn spread(&self) -> f64 {
        let (least, most) = self.by_seed.iter().fold((f64::MAX, 0.0_f64), |(l, m), &e| (l.min(e), m.max(e)));
        (most - least) / self.mean().max(ROUNDING)
    }
}

impl Row {
    fn best_peer(&self) -> f64 {
        self.cells[2..].iter().map(Cell::mean).fold(f64::INFINITY, f64::min)
    }

    /// `kernel-shap / trend / best peer`, the lowest in bold.
    fn markdown(&self) -> String {
        let all = [self.cells[0].mean(), self.cells[1].mean(), self.best_peer()];
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let written = all.map(|error| {
            let decimals = if error < 1e-3 { 5 } else { 4 };
            let text = format!("{error:.decimals$}").trim_start_matches('0').to_owned();
            if error == least { format!("**{text}**") } else { text }
        });
        written.join(" / ")
    }
}

/// A row for each game, a column for each budget.
pub fn print_games(games: &[Measured], headings: &[String]) {
    println!("\n| game | players | {} |", headings.join(" | "));
    println!("|{}", "---|".repeat(headings.len() + 2));
    for Measured { game, is_held_out, n_players, rows } in games {
        let mark = if *is_held_out { "" } else { "°" };
        let mut cells: Vec<String> = rows.iter().map(Row::markdown).collect();
        cells.resize(headings.len(), "listed".to_owned());
        println!("| {game}{mark} | {n_players} | {} |", cells.join(" | "));
    }
}

/// How estimators compare with `kernel-shap`, over the cells of the games in hand.
pub fn print_verdict(title: &str, games: &[&Measured]) {
    let rows: Vec<&Row> = games.iter().flat_map(|game| &game.rows).collect();
    println!("\n{title}: error as a share of kernel-shap's, geometric mean over {} cells\n", rows.len());
    println!("| estimator | share | lower than kernel-shap's in | highest share |\n|---|---|---|---|");
    for idx in 1..rows[0].cells.len() {
        let share = |row: &&Row| row.cells[idx].mean().max(ROUNDING) / row.cells[0].mean().max(ROUNDING);
        let shares: Vec<f64> = rows.iter().map(share).collect();
        let mean = (shares.iter().map(|share| share.ln()).sum::<f64>() / shares.len() as f64).exp();
        let n_lower = shares.iter().filter(|&&share| share < 1.0).count();
        let highest = shares.iter().copied().fold(0.0, f64::max);
        println!("| {} | {mean:.2} | {n_lower} of {} | {highest:.2} |", rows[0].cells[idx].estimator, rows.len());
    }
}

/// The usual distance between seeds, as a share of the error: median over all own cells.
pub fn usual_spread(games: &[Measured]) -> f64 {
    let rows = games.iter().flat_map(|game| &game.rows);
    let mut spreads: Vec<f64> = rows.flat_map(|row| row.cells[..2].iter().map(Cell::spread)).collect();
    spreads.sort_by(f64::total_cmp);
    spreads[spreads.len() / 2]
}

pub fn document(games: &[Measured], versions: &Value) -> Value {
    let cell = |cell: &Cell| json!({ "estimator": cell.estimator, "error": cell.mean(), "by_seed": cell.by_seed });
    let row =
        |row: &Row| json!({ "samples": row.n_samples, "cells": row.cells.iter().map(cell).collect::<Vec<_>>() });
    let game = |measured: &Measured| {
        json!({
            "game": measured.game,
            "is_held_out": measured.is_held_out,
            "players": measured.n_players,
            "rows": measured.rows.iter().map(row).collect::<Vec<_>>(),
        })
    };
    json!({ "versions": versions, "games": games.iter().map(game).collect::<Vec<_>>() })
}
