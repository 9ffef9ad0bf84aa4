//! Distorts a hostile peer's answers on their way: whole frames go in, and anything may come out.

use super::way::Way;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

/// Frames above this size are chunks; everything else is smaller.
const LARGE_BYTES: usize = 64 << 10;

/// Forwards a connection between the other side and an honest service, and distorts the service's answers.
pub(super) async fn distort(stream: TcpStream, service: DuplexStream, way: &Way) {
    let (mut from_peer, to_peer) = stream.into_split();
    let (from_service, mut to_service) = tokio::io::split(service);
    // When one side ends, the other is ended too.
    tokio::select! {
        _ = tokio::io::copy(&mut from_peer, &mut to_service) => {}
        _ = answer(from_service, to_peer, way) => {}
    }
}

async fn answer(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    way: &Way,
) -> io::Result<()> {
    let mut frames = 0;
    loop {
        let (head, body) = (from.read_u32().await?, from.read_u32().await?);
        let mut frame = [head.to_be_bytes(), body.to_be_bytes()].concat();
        frame.resize(8 + head as usize + body as usize, 0);
        from.read_exact(&mut frame[8..]).await?;
        frames += 1;
        let is_hello = frames == 1;
        match way {
            Way::Http => return to.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await,
            _ if is_hello => to.write_all(&frame).await?,
            Way::Garbage => to.write_all(&[0xf5; 4096]).await?,
            Way::Oversized => to.write_all(&[0xff; 8]).await?,
            Way::Cut => return to.write_all(&frame[..frame.len() / 2]).await,
            Way::Twice => {
                to.write_all(&frame).await?;
                to.write_all(&frame).await?;
            }
            Way::Drip(pause) if frame.len() > LARGE_BYTES => {
                for byte in frame {
                    to.write_all(&[byte]).await?;
                    tokio::time::sleep(*pause).await;
                }
            }
            _ => to.write_all(&frame).await?,
        }
    }
}
