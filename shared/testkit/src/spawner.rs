//! The one thread that starts every child process.
//!
//! The kernel's parent-death signal fires when the *thread* that started a child ends, and a test's thread ends with the
//! test. So children are started by a thread that lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};

type Order = (Command, Sender<io::Result<Child>>);

/// Starts `command` on the long-lived thread and gives its handle back.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts servers has ended");
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = channel();
        // Detached on purpose: it ends with the process.
        std::thread::spawn(move || serve(&receiver));
        Mutex::new(sender)
    });
    let (reply, answer) = channel();
    orders.lock().map_err(|_| gone())?.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn serve(orders: &Receiver<Order>) {
    while let Ok((mut command, reply)) = orders.recv() {
        // A caller that went away loses its child handle; the child still ends with this process.
        let _ = reply.send(command.spawn());
    }
}
