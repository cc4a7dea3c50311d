//! A filter while it is typed: what stays, what is doubted, and what Enter makes of it.

mod ui_world;

use ebtop::app::user_names::UserNames;
use ebtop::app::{App, Start};
use ui_world::*;

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().trim_end().to_string()
}

/// The line above the footer.
fn above(app: &App) -> String {
    screen(app).lines().rev().nth(1).unwrap().to_string()
}

#[test]
fn a_word_that_is_not_whole_hides_nothing() {
    let mut app = app(80, 24);
    keys(&mut app, "\\cpu>5");
    let good = app.line_count();
    assert!(good > 0 && good < app.lines_before_filter());
    for letter in " and us".chars() {
        keys(&mut app, &letter.to_string());
        assert_eq!((app.line_count(), app.filter_text()), (good, "cpu>5"), "after {letter}");
    }
    keys(&mut app, "er=root");
    assert_eq!((app.line_count(), app.filter_text()), (0, "cpu>5 and user=root"));
}

#[test]
fn the_only_word_is_looked_for_as_long_as_it_is_found() {
    let mut app = app(80, 24);
    let all = app.line_count();
    keys(&mut app, "\\c");
    assert!(app.line_count() < all && app.filter_text() == "c", "commands have a c");
    keys(&mut app, "pu");
    assert_eq!((app.line_count(), app.filter_text()), (all, ""), "no command has `cpu`, which will be a column");
    keys(&mut app, ">5");
    assert!(app.line_count() < all);
    keys(&mut app, "\x1b\\cpu\n");
    assert_eq!((app.line_count(), app.filter_text()), (0, "cpu"), "Enter means it");
}

#[test]
fn text_that_looks_like_a_column_is_doubted_where_it_stands() {
    let mut app = app(80, 24);
    keys(&mut app, "\\nginx or contianer:web");
    assert!(above(&app).contains("no column `contianer`, so this is text; meant container:… ?"), "{}", above(&app));
    assert_eq!(above(&app).chars().position(|c| c == '▾'), footer(&app).chars().position(|c| c == 'c'), "{}", screen(&app));
    keys(&mut app, "\n");
    assert!(app.prompt().is_none() && footer(&app).contains("meant container:"), "{}", footer(&app));
    keys(&mut app, "\x1b\\nginx: worker");
    assert!(!screen(&app).contains("no column"), "{}", screen(&app));
    keys(&mut app, "\x1b\\http://x or kworker/0:1 or std::vec");
    assert!(!screen(&app).contains("no column"), "{}", screen(&app));
}

#[test]
fn a_user_nobody_knows_is_told_and_may_be_asked_for() {
    let users = UserNames::new([(0, "root".into()), (105, "postgres".into())]);
    let mut app = App::new(Start { users, ..Start::default() }, (80, 24));
    show(&mut app, server(false));
    show(&mut app, server(true));
    keys(&mut app, "\\cpu>0 user=nosuch");
    assert!(above(&app).contains("no user `nosuch` is known here"), "{}", above(&app));
    keys(&mut app, "\n");
    assert_eq!(app.filter_text(), "cpu>0 user=nosuch");
    let text = screen(&app);
    assert!(text.contains("hides all") && text.matches("no user `nosuch`").count() == 1, "in place of the lines: {text}");
    for known in ["user=root", "user:post", "user!=nosuch", "user=4711"] {
        keys(&mut app, &format!("\x1b\\{known}"));
        assert!(!screen(&app).contains("no user"), "{known}: {}", screen(&app));
    }
}
