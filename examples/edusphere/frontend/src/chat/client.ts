/**
 * The chat's connection: it comes back by itself, and nothing is lost or doubled on the way.
 *
 * - What was sent stays in `pending` until the server acknowledged it or showed it, and is sent again, under the same id,
 *   on every new connection; the server stores an id once.
 * - Every connection begins with the number of the last message seen; the server sends those that follow.
 * - Waiting before attempt n is random() * min(longest, first * 2^n) ("full jitter"), so that the clients of a restarted
 *   server don't all return in the same instant.
 */

import { UNAUTHENTICATED, UNKNOWN_ROOM, type ClientFrame, type Message, type ServerFrame, type Visitor } from "./protocol";
import { uuid } from "./uuid";

/** What the client needs of a WebSocket. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(data: string): void;
  close(): void;
}

export type Status = "connecting" | "online" | "reconnecting" | "logged-out" | "unknown-room";

export interface ChatState {
  status: Status;
  messages: readonly Message[];
  /** Sent by the user, not yet stored as far as we know. */
  pending: readonly { id: string; body: string }[];
  users: readonly Visitor[];
  /** Why the server refused the last refused message. */
  error: string | null;
}

export interface ChatOptions {
  url: string;
  username: string;
  onChange: (state: ChatState) => void;
  connect?: (url: string) => Socket;
  random?: () => number;
}

export const FIRST_DELAY_MS = 500;
export const LONGEST_DELAY_MS = 15_000;
/** The server shows life every 20 s; after this long without a frame the connection is taken for dead. */
export const SILENCE_MS = 50_000;

export class ChatClient {
  private state: ChatState = { status: "connecting", messages: [], pending: [], users: [], error: null };
  /** Number of the last message seen; null asks for the end of the history. */
  private last: number | null = null;
  private socket: Socket | null = null;
  private attempt = 0;
  private reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly connect: (url: string) => Socket;
  private readonly random: () => number;

  constructor(private readonly options: ChatOptions) {
    this.connect = options.connect ?? ((url) => new WebSocket(url) as Socket);
    this.random = options.random ?? Math.random;
    this.open();
  }

  /** Queues a message; it is sent now or as soon as there is a connection. */
  send(body: string): void {
    const message = { id: uuid(), body };
    this.update({ pending: [...this.state.pending, message], error: null });
    if (this.state.status === "online") this.transmit({ type: "send", ...message });
  }

  /** Ends the connection for good. */
  stop(): void {
    clearTimeout(this.reconnectTimer);
    this.abandon();
  }

  private open(): void {
    const socket = this.connect(this.options.url);
    this.socket = socket;
    socket.onopen = () => this.transmit({ type: "hello", last_sequence: this.last });
    socket.onmessage = (event) => {
      this.expectLife();
      this.receive(JSON.parse(event.data) as ServerFrame);
    };
    socket.onclose = (event) => this.lost(event.code);
    this.expectLife();
  }

  private expectLife(): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.lost(0), SILENCE_MS);
  }

  /** Forgets the socket at once: closing a dead connection can take minutes, and what still arrives on it is of no use. */
  private abandon(): void {
    clearTimeout(this.silenceTimer);
    if (!this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  private lost(code: number): void {
    this.abandon();
    if (code === UNAUTHENTICATED || code === UNKNOWN_ROOM) {
      this.update({ status: code === UNAUTHENTICATED ? "logged-out" : "unknown-room", users: [] });
      return;
    }
    this.update({ status: "reconnecting", users: [] });
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.attempt++);
    this.reconnectTimer = setTimeout(() => this.open(), this.random() * longest);
  }

  private receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "messages":
        this.show(frame.messages);
        break;
      case "ready":
        this.last ??= frame.last_sequence;
        this.attempt = 0;
        this.update({ status: "online" });
        for (const message of this.state.pending) this.transmit({ type: "send", ...message });
        break;
      case "ack":
        this.update({ pending: this.state.pending.filter(({ id }) => id !== frame.id) });
        break;
      case "presence":
        this.update({ users: frame.users });
        break;
      case "reset":
        this.last = null;
        this.update({ messages: [] });
        break;
      case "error":
        this.update({ error: frame.detail, pending: this.state.pending.filter(({ id }) => id !== frame.id) });
        break;
    }
  }

  private show(messages: Message[]): void {
    const fresh = messages.filter(({ sequence }) => this.last === null || sequence > this.last);
    const newest = fresh.at(-1);
    if (!newest) return;
    this.last = newest.sequence;
    const mine = new Set(fresh.filter(({ author }) => author.username === this.options.username).map(({ id }) => id));
    this.update({
      messages: [...this.state.messages, ...fresh],
      pending: this.state.pending.filter(({ id }) => !mine.has(id)),
    });
  }

  private transmit(frame: ClientFrame): void {
    this.socket?.send(JSON.stringify(frame));
  }

  private update(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    this.options.onChange(this.state);
  }
}

/** The address of a room's WebSocket on the site that the page came from. */
export function roomUrl(slug: string): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/chat/${slug}/`;
}
