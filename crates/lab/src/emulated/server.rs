//! The SSH server of a device: authentication by the lab's key, and interactive shells.

use std::{sync::Arc, time::Duration};

use russh::{
    Channel, ChannelId, MethodKind, MethodSet, Pty,
    keys::{PrivateKey, PublicKey},
    server::{self, Auth, ChannelOpenHandle, Config, Msg, PublicKeyOffer, Session, VerifiedPublicKey},
};
use tokio::net::{TcpListener, TcpStream};
use weft_model::NodeName;

use super::{shared::Shared, shell};

/// A session that says nothing for so long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(3600);
/// How long the answer to a wrong key takes.
const REJECTION_TIME: Duration = Duration::from_millis(50);

/// Returns the configuration of a device's SSH server.
pub(super) fn config(host_key: PrivateKey) -> Arc<Config> {
    Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REJECTION_TIME,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        inactivity_timeout: Some(IDLE_LIMIT),
        nodelay: true,
        ..Config::default()
    })
}

/// Serves SSH to a device until the task is aborted. A device that is off or cut off drops every connection.
pub(super) async fn serve(
    lab: Arc<Shared>,
    device: NodeName,
    listener: TcpListener,
    config: Arc<Config>,
    key: Arc<PublicKey>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, or the client has gone: neither is for ever.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if !lab.is_reachable(&device) {
            continue;
        }
        let connection = Connection { lab: Arc::clone(&lab), device: device.clone(), key: Arc::clone(&key) };
        tokio::spawn(connection.run(stream, Arc::clone(&config)));
    }
}

/// One connection to a device.
struct Connection {
    lab: Arc<Shared>,
    device: NodeName,
    key: Arc<PublicKey>,
}

impl Connection {
    async fn run(self, stream: TcpStream, config: Arc<Config>) {
        let (lab, device) = (Arc::clone(&self.lab), self.device.clone());
        // A second handle on the socket is what cuts the connection.
        let Ok(stream) = stream.into_std() else { return };
        let Ok(handle) = stream.try_clone() else { return };
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        if config.nodelay && stream.set_nodelay(true).is_err() {
            return;
        }
        let number = lab.connected(&device, handle);
        if lab.is_reachable(&device)
            && let Ok(session) = server::run_stream(config, stream, self).await
        {
            // How a connection ended is of no interest to the device.
            let _ = session.await;
        }
        lab.disconnected(&device, number);
    }

    fn answer(&self, key: &PublicKey) -> Auth {
        let refused = self.lab.fabric().devices.get(&self.device).is_none_or(|device| device.login_refused);
        if !refused && key.key_data() == self.key.key_data() { Auth::Accept } else { Auth::reject() }
    }
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.answer(offer.public_key))
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.answer(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        tokio::spawn(shell::run(channel, Arc::clone(&self.lab), self.device.clone()));
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    // The command line is interactive only, as on most switches.
    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}
