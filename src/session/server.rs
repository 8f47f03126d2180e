//! Who talks to the launcher for everybody who has a process in its containers.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    thread::{self, JoinHandle},
};

use caplab_init::wire::{Case as Planned, Window};
use rustix::event::{PollFd, PollFlags, poll};

use super::{
    Client, Meeting, Scene,
    ask::{Ask, Place, Reply, receive, send},
    status,
};
use crate::{
    engine::{ContainerState, Ended, EngineError, Held, Opened, Unopened, native},
    errno::Errno,
    observe::Outcome,
    pass,
    scenario::model::User,
};

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// The connection of who has started it. With that everything ends.
    stream: UnixStream,
    thread: JoinHandle<()>,
}

impl Server {
    /// Splits off the connection; the rest is waited for with [`Gone::wait`].
    #[must_use]
    pub fn split(self) -> (Client, Gone) {
        (Client::new(self.stream), Gone(self.thread))
    }
}

/// To wait until nothing is left of the containers.
#[derive(Debug)]
pub struct Gone(JoinHandle<()>);

impl Gone {
    /// Once the connection is closed.
    pub fn wait(self) {
        // It has said before what went wrong.
        let _ = self.0.join();
    }
}

/// Makes a case's containers and serves them, to others as well where there is a meeting.
///
/// # Errors
/// Where they cannot be made, in words.
pub fn start(scene: Scene, meeting: Option<Meeting>) -> Result<Server, String> {
    let job = scene.job(&scene.case)?;
    let held = native::hold(&job).map_err(|error| error.to_string())?;
    let deviations = held.seen().deviations(&job);
    if !deviations.is_empty() {
        return Err(deviations.join("\n"));
    }
    for (container, state) in scene.case.containers.iter().zip(&held.seen().containers) {
        // Where there are several another one may run.
        if let (1, ContainerState::Refused(Outcome::Refused { message, .. })) = (scene.case.containers.len(), state) {
            return Err(format!("container {} is refused: {message}", container.name));
        }
    }
    let pair = UnixStream::pair().map_err(|error| format!("socketpair: {error}"))?;
    let (stream, theirs) = pair;
    let first = Guest { stream: theirs, session: None, is_first: true };
    let room = Room { scene, held, host: None, clients: vec![first], meeting };
    let thread = thread::Builder::new().name("server".to_owned()).spawn(move || room.serve());
    Ok(Server { stream, thread: thread.map_err(|error| format!("a thread: {error}"))? })
}

struct Guest {
    stream: UnixStream,
    session: Option<u32>,
    is_first: bool,
}

struct Room {
    scene: Scene,
    held: Held,
    /// The fixture host: its index, what its processes are planned with, what is to be known of it.
    host: Option<(usize, Scene, Vec<String>)>,
    clients: Vec<Guest>,
    meeting: Option<Meeting>,
}

impl Room {
    fn serve(mut self) {
        if let Err(EngineError(words)) = self.until_first_leaves() {
            for client in &self.clients {
                // Who is gone needs no word.
                let _ = send(&client.stream, &Reply::Ended { status: status::FAILED, note: Some(words.clone()) });
            }
        }
    }

    fn until_first_leaves(&mut self) -> Result<(), EngineError> {
        loop {
            let (launcher, comer, speaking) = self.wait().map_err(|error| EngineError(format!("poll: {error}")))?;
            if launcher {
                let ended = self.held.ended()?;
                self.ended(ended);
            }
            while let Some(ended) = self.held.ended_meanwhile() {
                self.ended(ended);
            }
            // From the last on, so that one that goes moves nobody who is still to be heard.
            for index in speaking.into_iter().rev() {
                if self.hear(index)? {
                    continue;
                }
                let client = self.clients.remove(index);
                if let Some(session) = client.session {
                    self.held.close(session)?;
                }
                if client.is_first {
                    return Ok(());
                }
            }
            if comer && let Some(stream) = self.meeting.as_ref().and_then(Meeting::accept) {
                self.clients.push(Guest { stream, session: None, is_first: false });
            }
        }
    }

    /// Waits; says whether the launcher has said something, somebody comes, and which clients have said something.
    fn wait(&self) -> io::Result<(bool, bool, Vec<usize>)> {
        let launcher = self.held.as_fd().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut fds = vec![PollFd::from_borrowed_fd(launcher, PollFlags::IN)];
        fds.extend(self.clients.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN)));
        let meeting = self.meeting.as_ref().map(Meeting::as_fd);
        fds.extend(meeting.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (clients, comer) = ready[1..].split_at(self.clients.len());
        let speaking = clients.iter().enumerate().filter(|(_, ready)| **ready).map(|(index, _)| index);
        Ok((ready[0], comer.first() == Some(&true), speaking.collect()))
    }

    /// What a client says; false where he is gone or says what cannot be understood.
    fn hear(&mut self, index: usize) -> Result<bool, EngineError> {
        let Ok(Some(ask)) = receive(&self.clients[index].stream) else { return Ok(false) };
        let sent = match ask {
            Ask::What => send(&self.clients[index].stream, &Reply::This(self.scene.identity())),
            Ask::Open { place, as_user, command, window, term } => {
                match self.open(&place, as_user.as_deref(), &command, window, term.as_deref()) {
                    Ok((opened, notes)) => {
                        let client = &mut self.clients[index];
                        client.session = Some(opened.session);
                        let fds: Vec<_> = opened.descriptors.iter().map(AsFd::as_fd).collect();
                        send(&client.stream, &Reply::Opened { streams: opened.streams, notes })
                            .and_then(|()| pass::send(client.stream.as_fd(), &fds))
                    }
                    Err((status, words)) => send(&self.clients[index].stream, &Reply::Refused { status, words }),
                }
            }
        };
        Ok(sent.is_ok())
    }

    fn open(
        &mut self,
        place: &Place,
        as_user: Option<&str>,
        command: &[String],
        window: Option<Window>,
        term: Option<&str>,
    ) -> Result<(Opened, Vec<String>), (u8, String)> {
        let failed = |words: String| (status::FAILED, words);
        let user = as_user.map(str::parse::<User>).transpose().map_err(failed)?;
        let (index, within, scene, notes) = match place {
            Place::Container(name) => {
                let index = self.scene.container(name.as_deref()).map_err(failed)?;
                (index, index, self.scene.clone(), Vec::new())
            }
            Place::Host => {
                let (index, scene, notes) = self.host().map_err(failed)?;
                (index, 0, scene, notes)
            }
        };
        let user = if *place == Place::Host { user.map(|user| scene.user_of_host(user)) } else { user };
        let mut planned = scene.plan(&scene.with_process(within, user, command)).map_err(failed)?;
        if let (Some(_), Some(term)) = (window, term) {
            set_term(&mut planned, term);
        }
        let opened = self.held.open(index, &planned, window).map_err(|why| match why {
            Unopened::Exec { errno: Errno(nix::libc::ENOENT), words } => (status::NOT_FOUND, words),
            Unopened::Exec { words, .. } => (status::NOT_EXECUTABLE, words),
            Unopened::NotRunning(why) => {
                let name = &scene.case.containers[within].name;
                failed(format!("container {name} does not run: {why}; a container without `command` waits"))
            }
            Unopened::Other(words) => failed(words),
        })?;
        Ok((opened, notes))
    }

    /// The fixture host, made for the first who wants it.
    fn host(&mut self) -> Result<(usize, Scene, Vec<String>), String> {
        match &self.host {
            Some(made) => Ok(made.clone()),
            None => {
                let (scene, notes) = self.scene.host()?;
                let index = self.held.make(scene.plan(&scene.case)?).map_err(|error| error.to_string())?;
                Ok(self.host.insert((index, scene, notes)).clone())
            }
        }
    }

    fn ended(&self, ended: Ended) {
        let Some(client) = self.clients.iter().find(|client| client.session == Some(ended.session)) else { return };
        let status = match ended.exit {
            Ok(code) => code as u8,
            Err(signal) => status::SIGNAL.wrapping_add(signal.0 as u8),
        };
        let note = ended.with_container.then(|| {
            "the container has ended: its pid 1 is gone, and with that the kernel kills everybody in its pid namespace".to_owned()
        });
        // Who is gone needs no word.
        let _ = send(&client.stream, &Reply::Ended { status, note });
    }
}

/// Programs of a terminal want to know which it is.
fn set_term(planned: &mut Planned, term: &str) {
    use caplab_init::wire::StepKind;
    for step in &mut planned.steps {
        if let StepKind::Exec { process, .. } = &mut step.kind
            && !process.env.iter().any(|entry| entry.starts_with("TERM="))
        {
            process.env.push(format!("TERM={term}"));
        }
    }
}
