import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ChatClient, FIRST_DELAY_MS, LONGEST_DELAY_MS, SILENCE_MS, type ChatState, type Socket } from "./client";
import type { ClientFrame, Message, ServerFrame } from "./protocol";

/** The server's end of one connection, under the test's control. */
class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly received: ClientFrame[] = [];
  closed = false;

  send(data: string) {
    this.received.push(JSON.parse(data));
  }
  close() {
    this.closed = true;
  }
  tell(frame: ServerFrame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  /** Opens and accepts the client. */
  accept(lastSequence = 0) {
    this.onopen?.();
    this.tell({ type: "ready", last_sequence: lastSequence });
  }
  drop(code = 1012) {
    this.onclose?.({ code });
  }
  sent() {
    return this.received.filter((frame) => frame.type === "send");
  }
}

/** A server that stores messages as the real one does: numbered, and an id only once. */
class FakeServer {
  readonly stored: Message[] = [];

  store(frame: { id: string; body: string }, username = "ada"): Message {
    const known = this.stored.find(({ id }) => id === frame.id);
    if (known) return known;
    this.stored.push(message(this.stored.length + 1, username, frame.body, frame.id));
    return this.stored.at(-1)!;
  }
  after(sequence: number) {
    return this.stored.filter((stored) => stored.sequence > sequence);
  }
}

function message(sequence: number, username = "bob", body = `message ${sequence}`, id = `id-${sequence}`): Message {
  return { sequence, id, author: { username, avatar_url: null }, body, created_at: "2026-01-01T00:00:00+00:00" };
}

let sockets: FakeSocket[];
let state: ChatState;
let client: ChatClient;
let random: number;
const socket = () => sockets.at(-1)!;
const bodies = () => state.messages.map(({ body }) => body);

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  random = 1;
  client = new ChatClient({
    url: "ws://test/",
    username: "ada",
    onChange: (next) => (state = next),
    random: () => random,
    connect: () => {
      sockets.push(new FakeSocket());
      return socket();
    },
  });
});

afterEach(() => {
  client.stop();
  vi.useRealTimers();
});

describe("connection", () => {
  it("asks for the end of the history, then is online", () => {
    socket().accept();
    expect(socket().received).toEqual([{ type: "hello", last_sequence: null }]);
    expect(state.status).toBe("online");
  });

  it("comes back by itself, waiting longer each time, up to a limit", () => {
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      const before = sockets.length;
      const start = Date.now();
      socket().drop();
      expect(state.status).toBe("reconnecting");
      while (sockets.length === before) vi.advanceTimersToNextTimer();
      waits.push(Date.now() - start);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    expect([waits[0], waits.at(-1)]).toEqual([FIRST_DELAY_MS, LONGEST_DELAY_MS]);
  });

  it("spreads the attempts over the whole wait", () => {
    random = 0.25;
    socket().drop();
    vi.advanceTimersByTime(FIRST_DELAY_MS * 0.25 - 1);
    expect(sockets.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(2);
  });

  it("waits shortly again after it was online", () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      socket().drop();
      vi.advanceTimersByTime(LONGEST_DELAY_MS);
    }
    socket().accept();
    const before = sockets.length;
    socket().drop();
    vi.advanceTimersByTime(FIRST_DELAY_MS);
    expect(sockets.length).toBe(before + 1);
  });

  it("takes a silent connection for dead", () => {
    const first = socket();
    first.accept();
    vi.advanceTimersByTime(SILENCE_MS - 1);
    first.tell({ type: "heartbeat" });
    vi.advanceTimersByTime(SILENCE_MS - 1);
    expect(state.status).toBe("online");
    vi.advanceTimersByTime(1);
    expect(state.status).toBe("reconnecting");
    expect(first.closed).toBe(true);
    first.tell({ type: "messages", messages: [message(1)] });
    expect(state.messages).toEqual([]);
  });

  it.each([
    [4401, "logged-out"],
    [4404, "unknown-room"],
  ])("does not come back after close code %i", (code, status) => {
    socket().drop(code);
    vi.advanceTimersByTime(10 * LONGEST_DELAY_MS);
    expect(state.status).toBe(status);
    expect(sockets.length).toBe(1);
  });

  it("does not come back after stop()", () => {
    socket().drop();
    client.stop();
    vi.advanceTimersByTime(10 * LONGEST_DELAY_MS);
    expect(sockets.length).toBe(1);
  });
});

describe("receiving", () => {
  it("resumes after the last message seen and shows nothing twice", () => {
    socket().accept();
    socket().tell({ type: "messages", messages: [message(1), message(2)] });
    socket().drop();
    vi.advanceTimersByTime(FIRST_DELAY_MS);
    socket().onopen?.();
    expect(socket().received).toEqual([{ type: "hello", last_sequence: 2 }]);
    socket().tell({ type: "messages", messages: [message(2), message(3)] });
    socket().tell({ type: "messages", messages: [message(3), message(4)] });
    expect(state.messages.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("resumes from the number it was told where the room was empty", () => {
    socket().accept(0);
    socket().drop();
    vi.advanceTimersByTime(FIRST_DELAY_MS);
    socket().onopen?.();
    expect(socket().received).toEqual([{ type: "hello", last_sequence: 0 }]);
  });

  it("starts again when the server says so", () => {
    socket().accept();
    socket().tell({ type: "messages", messages: [message(8)] });
    socket().tell({ type: "reset" });
    socket().tell({ type: "messages", messages: [message(1)] });
    expect(bodies()).toEqual(["message 1"]);
  });

  it("shows who is there, and nobody while it can't know", () => {
    socket().accept();
    socket().tell({ type: "presence", users: [{ username: "bob", avatar_url: null }] });
    expect(state.users.length).toBe(1);
    socket().drop();
    expect(state.users).toEqual([]);
  });
});

describe("sending", () => {
  it("keeps a message until it is acknowledged", () => {
    socket().accept();
    client.send("hello");
    const [frame] = socket().sent();
    expect(frame).toMatchObject({ body: "hello", id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/) });
    expect(state.pending).toHaveLength(1);
    socket().tell({ type: "ack", id: (frame as { id: string }).id, sequence: 1 });
    expect(state.pending).toEqual([]);
  });

  it("takes its own message from the server as acknowledged, but not another's with the same id", () => {
    socket().accept();
    client.send("hello");
    const id = state.pending[0]!.id;
    socket().tell({ type: "messages", messages: [message(1, "mallory", "x", id)] });
    expect(state.pending).toHaveLength(1);
    socket().tell({ type: "messages", messages: [message(2, "ada", "hello", id)] });
    expect(state.pending).toEqual([]);
  });

  it("queues while offline and sends in order, after the server is ready", () => {
    client.send("one");
    client.send("two");
    socket().onopen?.();
    expect(socket().sent()).toEqual([]);
    socket().tell({ type: "ready", last_sequence: 0 });
    expect(socket().sent()).toMatchObject([{ body: "one" }, { body: "two" }]);
  });

  it("drops a message that the server refuses, and says why", () => {
    socket().accept();
    client.send("x");
    socket().tell({ type: "error", code: "invalid_body", detail: "too long", id: state.pending[0]!.id });
    expect(state.pending).toEqual([]);
    expect(state.error).toBe("too long");
  });
});

it("loses and doubles nothing while connections break at every point", () => {
  const server = new FakeServer();
  const written: string[] = [];
  // A small generator with a fixed seed: the same run every time.
  let seed = 7;
  const chance = (of: number) => (seed = (seed * 48271) % 2147483647) % of === 0;

  /** One connection; each line of it may be the last. */
  function connection() {
    const here = socket();
    if (chance(5)) return;
    here.onopen?.();
    const hello = here.received[0] as { last_sequence: number | null };
    if (chance(5)) return;
    const missed = server.after(hello.last_sequence ?? 0);
    if (missed.length) here.tell({ type: "messages", messages: missed });
    if (chance(5)) return;
    here.tell({ type: "ready", last_sequence: server.stored.length });
    for (let round = 0; round < 4; round++) {
      client.send(`ada ${written.length}`);
      written.push(`ada ${written.length}`);
      server.store({ id: `bob-${server.stored.length}`, body: "from bob" }, "bob");
      for (const frame of here.sent()) {
        if (chance(6)) return; // before it was stored
        const stored = server.store(frame as { id: string; body: string });
        if (chance(6)) return; // stored, but the client doesn't know
        here.tell({ type: "messages", messages: server.after(state.messages.at(-1)?.sequence ?? 0) });
        here.tell({ type: "ack", id: stored.id, sequence: stored.sequence });
      }
    }
  }

  for (let number = 0; number < 200; number++) {
    connection();
    socket().drop();
    vi.advanceTimersByTime(LONGEST_DELAY_MS);
  }
  // One undisturbed connection at the end.
  socket().onopen?.();
  socket().tell({ type: "messages", messages: server.after(state.messages.at(-1)?.sequence ?? 0) });
  socket().tell({ type: "ready", last_sequence: server.stored.length });
  for (const frame of socket().sent()) server.store(frame as { id: string; body: string });
  socket().tell({ type: "messages", messages: server.after(state.messages.at(-1)?.sequence ?? 0) });

  expect(written.length).toBeGreaterThan(100);
  expect(state.pending).toEqual([]);
  expect(state.messages).toEqual(server.stored);
  expect(server.stored.filter(({ author }) => author.username === "ada").map(({ body }) => body)).toEqual(written);
});
