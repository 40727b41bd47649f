//! The line to the operator's terminal. A stalled line (flow control, a dying SSH connection) must
//! never hold up the polls, so nothing here waits: what the terminal does not take stays behind, and
//! while something is behind no new frame is made.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

/// Where frames are written.
#[derive(Debug)]
pub struct Line<W = File> {
    out: W,
    behind: Vec<u8>,
}

impl Line {
    /// Opens the terminal behind standard output once more, so that not waiting is ours alone: the
    /// open file that was inherited is shared with the shell that started us.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        let name = rustix::termios::ttyname(&stdout, Vec::new());
        let how = |path: &std::ffi::OsStr| {
            let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
            OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path)
        };
        let out = match name {
            Ok(name) => how(std::ffi::OsStr::from_bytes(name.to_bytes())),
            Err(err) => Err(err.into()),
        };
        // Inside some containers the terminal has no name here.
        let out = out.or_else(|_| how(std::ffi::OsStr::new("/dev/tty")));
        let out = out.or_else(|_| stdout.as_fd().try_clone_to_owned().map(File::from))?;
        Ok(Self::new(out))
    }
}

impl<W: Write> Line<W> {
    /// A line over any writer that does not wait.
    pub const fn new(out: W) -> Self {
        Self { out, behind: Vec::new() }
    }

    /// Whether everything has been taken; only then may a frame be made.
    pub const fn is_clear(&self) -> bool {
        self.behind.is_empty()
    }

    /// Sends these bytes, by one write where the terminal takes them.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.is_clear() {
            self.behind.extend_from_slice(bytes);
            return self.go_on();
        }
        let taken = self.write(bytes)?;
        self.behind.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Sends what stayed behind.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn go_on(&mut self) -> io::Result<()> {
        while !self.is_clear() {
            let behind = std::mem::take(&mut self.behind);
            let taken = self.write(&behind);
            self.behind = behind;
            let taken = taken?;
            self.behind.drain(..taken);
            if taken == 0 {
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.out.write(bytes) {
                Ok(taken) => return Ok(taken),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that takes so many bytes and then no more.
    #[derive(Default)]
    struct Slow {
        room: usize,
        got: Vec<u8>,
        writes: usize,
    }

    impl Write for &mut Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            self.got.extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_one_write() {
        let mut slow = Slow { room: 1_000, ..Slow::default() };
        Line::new(&mut slow).send(&[b'x'; 900]).expect("the line stands");
        assert_eq!((slow.writes, slow.got.len()), (1, 900));
    }

    #[test]
    fn a_stalled_line_holds_nobody_up_and_loses_nothing() {
        let mut slow = Slow { room: 4, ..Slow::default() };
        let mut line = Line::new(&mut slow);
        line.send(b"abcdef").expect("the line stands");
        assert!(!line.is_clear());
        line.send(b"gh").expect("the line stands");
        line.out.room = 100;
        line.go_on().expect("the line stands");
        assert!(line.is_clear());
        assert_eq!(slow.got, b"abcdefgh");
    }
}
