//! The Stacks view as text.

mod stack_world;

use ebtop::app::stacks::{StackAction, StacksView};
use ebtop::ui;
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use stack_world::{World, view_of};

fn text(view: &StacksView, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::stacks::draw(frame, frame.area(), view)).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = |row| (0..width).map(move |x| buffer[(x, row)].symbol());
    (0..height).map(|row| cells(row).collect::<String>().trim_end().to_string() + "\n").collect()
}

/// A web server that mostly compresses.
fn nginx() -> World {
    let main = "_start;main;ngx_worker_process_cycle";
    let request = format!("{main};ngx_process_events_and_timers;ngx_http_process_request");
    let gzip = format!("{request};ngx_http_gzip_body_filter;deflate@libz.so.1.2.13");
    let sys = "K:entry_SYSCALL_64_after_hwframe;K:do_syscall_64";
    let send = format!("{request};ngx_writev;writev@libc.so.6;{sys};K:__x64_sys_writev;K:tcp_sendmsg;K:tcp_sendmsg_locked");
    let wait = format!("{main};ngx_process_events_and_timers;epoll_wait@libc.so.6;{sys};K:__x64_sys_epoll_wait;K:do_epoll_wait");
    let mut stacks = vec![
        (format!("{gzip};deflate_slow@libz.so.1.2.13"), 590),
        (format!("{gzip};deflate_slow@libz.so.1.2.13;longest_match@libz.so.1.2.13"), 57),
        (format!("{gzip};crc32@libz.so.1.2.13"), 31),
        (send.clone(), 66),
        (format!("{send};K:tcp_push;K:__tcp_transmit_skb"), 121),
        (format!("{send};K:skb_copy"), 40),
        (format!("{main};ngx_process_events_and_timers;ngx_event_accept;accept4@libc.so.6;{sys};K:__sys_accept4"), 118),
        (wait.clone(), 20),
        (format!("{wait};K:schedule_hrtimeout_range;K:schedule"), 88),
        (format!("{request};J:lua_handler;J:lua_rewrite"), 180),
    ];
    stacks.extend((0..12).map(|i| (format!("{main};ngx_timer_{i}"), 1)));
    World::of(&stacks.iter().map(|(stack, count)| (stack.as_str(), *count)).collect::<Vec<_>>())
}

#[test]
fn flame_80x24() {
    let (view, ..) = view_of(&nginx());
    assert_snapshot!(text(&view, 80, 24));
}

#[test]
fn flame_120x40() {
    let (view, ..) = view_of(&nginx());
    assert_snapshot!(text(&view, 120, 40));
}

#[test]
fn flame_200x50() {
    let (view, ..) = view_of(&nginx());
    assert_snapshot!(text(&view, 200, 50));
}

#[test]
fn flame_60x15_has_no_table() {
    let (view, ..) = view_of(&nginx());
    assert_snapshot!(text(&view, 60, 15));
}

#[test]
fn table_and_tree() {
    let (mut view, ..) = view_of(&nginx());
    let _ = view.act(StackAction::NextMode);
    let _ = view.act(StackAction::Down);
    assert_snapshot!("table", text(&view, 100, 16));
    let _ = view.act(StackAction::NextMode);
    for _ in 0..5 {
        let _ = view.act(StackAction::Down);
    }
    assert_snapshot!("tree", text(&view, 100, 30));
}

#[test]
fn search_and_zoom() {
    let (mut view, ..) = view_of(&nginx());
    view.set_search("tcp_");
    let _ = view.act(StackAction::NextMatch);
    assert_snapshot!("search", text(&view, 100, 24));
    let _ = view.act(StackAction::ZoomIn);
    view.set_search("");
    assert_snapshot!("zoomed", text(&view, 100, 24));
}
