use futures::task::noop_waker;

use super::super::head_timer::is_owed;
use super::*;

/// A socket with so much room, behind something that prepares bytes.
#[derive(Default)]
struct Fake {
    room: usize,
    asked_for_room: usize,
    written: usize,
    suited: Vec<bool>,
}

impl Transport for Fake {
    fn poll_room(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asked_for_room += 1;
        if self.room == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn holds_bytes(&self) -> bool {
        false
    }

    fn suit(&mut self, is_quick: bool) {
        self.suited.push(is_quick);
    }
}

impl AsyncRead for Fake {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Fake {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            assert!(self.suited.last() == Some(&true), "it was not asked whether there is room");
            return Poll::Pending;
        }
        self.room -= taken;
        self.written += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes pieces until the socket is full, as HTTP does; answers what it took.
fn fill(wire: &mut Wire<Fake>, room: usize) -> usize {
    wire.transport.room = room;
    let before = wire.transport.written;
    let piece = [0; 10_000];
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    while Pin::new(&mut *wire).poll_write(&mut context, &piece).is_ready() {}
    wire.transport.written - before
}

#[test]
fn who_takes_little_at_once_stays_slow_and_nothing_is_prepared_in_vain() {
    let mut wire = Wire::new(Fake::default(), None);
    for room in [100_000, 32_000, 64_000, 100_000, 1] {
        assert_eq!(fill(&mut wire, room), room);
    }
    assert!(wire.transport.suited.is_empty() && wire.transport.asked_for_room > 30);
}

#[test]
fn who_takes_much_at_once_is_quick_until_that_ends() {
    let mut wire = Wire::new(Fake::default(), None);
    assert_eq!(fill(&mut wire, 1_000_000), 1_000_000);
    assert_eq!(wire.transport.suited, [true]);
    let asked = wire.transport.asked_for_room;
    assert_eq!(fill(&mut wire, 500_000), 500_000);
    assert_eq!(wire.transport.asked_for_room, asked, "a quick one is not asked for room");
    assert_eq!(wire.transport.suited, [true]);
    fill(&mut wire, 50_000);
    assert_eq!(wire.transport.suited, [true, false]);
}

/// Gives the socket so much more room and has the answer go on; whether it is over.
fn go_on(wire: &mut Wire<Fake>, room: usize) -> bool {
    wire.transport.room = room;
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    let mut bytes = [0; 16];
    let read = Pin::new(&mut *wire).poll_read(&mut context, &mut ReadBuf::new(&mut bytes));
    assert!(read.is_pending(), "nobody asks for anything");
    wire.answer.is_none()
}

#[test]
fn an_answer_below_http_is_prepared_for_the_room_there_is() {
    let mut wire = Wire::new(Fake::default(), None);
    wire.answer = Some(Answer::of(b"head", &[0; 30_000]));
    for (room, written) in [(0, 0), (1, 1), (0, 1), (10_000, 10_001), (0, 10_001)] {
        assert!(!go_on(&mut wire, room));
        assert_eq!(wire.transport.written, written);
    }
    assert!(go_on(&mut wire, 100_000));
    assert_eq!(wire.transport.written, 30_004);
}

#[test]
fn an_answer_below_http_shows_who_is_quick() {
    let mut wire = Wire::new(Fake::default(), None);
    for _ in 0..7 {
        wire.answer = Some(Answer::of(b"head", &[0; 30_000]));
        assert!(go_on(&mut wire, 100_000));
    }
    assert_eq!(wire.transport.suited, [true]);
}

#[test]
fn a_client_is_owed_what_the_socket_did_not_take() {
    let mut wire = Wire::new(Fake::default(), None);
    wire.answer = Some(Answer::of(b"head", b"body"));
    go_on(&mut wire, 7);
    assert!(is_owed());
    go_on(&mut wire, 1);
    assert!(!is_owed());
}
