/**
 * The connection to the Python process. Every frame is
 *   u32 length of what follows | u32 request id | u8 kind | payload
 * with big-endian numbers. Requests are JSON: 0 = plain arguments, 1 = arguments that hold tagged values; 2 = nobody waits
 * for the request of this id any more (empty, no reply).
 * Replies: 0 = result (JSON, or the bare text that `queryText` asked for), 1 = error (JSON), 2 = no such row (empty).
 */
import net from "node:net";

const HEADER = 9;

export const TAGGED = 1;
const LEFT = 2;
export const REPLY_RESULT = 0;
export const REPLY_ERROR = 1;
export const REPLY_NOTHING = 2;

/**
 * Serves one end of a unix socket pair, and exits with it: the parent holds the other end, so whatever way the
 * parent dies, this one closes.
 * @param {number} fd
 * @param {(id: number, kind: number, payload: string) => Promise<[kind: number, text: string]>} answer must not throw
 * @param {(id: number) => void} leave @param {() => Promise<void>} end the last thing to be done
 */
export function serve(fd, answer, leave, end) {
  const socket = new net.Socket({ fd, readable: true, writable: true });
  socket.on("close", () => end().finally(() => process.exit(0)));
  socket.on("error", () => {});
  const reply = writer(socket);
  socket.on(
    "data",
    reader((id, kind, payload) => {
      if (kind === LEFT) leave(id);
      else answer(id, kind, payload).then(([replyKind, text]) => reply(id, replyKind, text));
    }),
  );
}

/**
 * Replies of one turn of the event loop leave in one write, because each write wakes the reader. The text is
 * given to the socket as it is: a buffer of its own per reply would keep the garbage collector busy.
 * @param {net.Socket} socket
 */
function writer(socket) {
  let corked = false;
  const uncork = () => {
    corked = false;
    socket.uncork();
  };
  return (/** @type {number} */ id, /** @type {number} */ kind, /** @type {string} */ text) => {
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(uncork);
    }
    const header = Buffer.allocUnsafe(HEADER);
    header.writeUInt32BE(Buffer.byteLength(text) + HEADER - 4, 0);
    header.writeUInt32BE(id, 4);
    header[8] = kind;
    socket.write(header);
    socket.write(text);
  };
}

/** @param {(id: number, kind: number, payload: string) => void} receive is called for every complete frame */
function reader(receive) {
  /** Bytes received and not yet read as a frame. @type {Buffer[]} */
  let chunks = [];
  let received = 0;
  let wanted = HEADER;
  return (/** @type {Buffer} */ chunk) => {
    chunks.push(chunk);
    received += chunk.length;
    if (received < wanted) return;
    let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks, received);
    let start = 0;
    wanted = HEADER;
    while (buffer.length - start >= HEADER) {
      const size = buffer.readUInt32BE(start) + 4;
      if (buffer.length - start < size) {
        wanted = size;
        break;
      }
      receive(buffer.readUInt32BE(start + 4), buffer[start + 8], buffer.toString("utf8", start + HEADER, start + size));
      start += size;
    }
    buffer = buffer.subarray(start);
    chunks = buffer.length ? [buffer] : [];
    received = buffer.length;
  };
}
