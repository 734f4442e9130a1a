/** The frames of `/ws/chat/<room>/`. */

export interface Message {
  sequence: number;
  id: string;
  author: { username: string; avatar_url: string | null };
  body: string;
  created_at: string;
}

export interface Visitor {
  username: string;
  avatar_url: string | null;
}

export type ClientFrame = { type: "hello"; last_sequence: number | null } | { type: "send"; id: string; body: string };

export type ServerFrame =
  | { type: "messages"; messages: Message[] }
  | { type: "ready"; last_sequence: number }
  | { type: "ack"; id: string; sequence: number }
  | { type: "presence"; users: Visitor[] }
  | { type: "heartbeat" }
  | { type: "reset" }
  | { type: "error"; code: string; detail: string; id: string | null };

/** Close codes after which connecting again is of no use. */
export const UNAUTHENTICATED = 4401;
export const UNKNOWN_ROOM = 4404;
