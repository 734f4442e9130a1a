/** Rooms over the REST API. */

import { call } from "./api";

export interface Room {
  slug: string;
  name: string;
  topic: string;
  last_sequence: number;
}

export const listRooms = async () => (await call<{ rooms: Room[] }>("GET", "/api/rooms/")).rooms;
export const createRoom = async (name: string) => (await call<{ room: Room }>("POST", "/api/rooms/", { name })).room;
export const setTopic = async (slug: string, topic: string) =>
  (await call<{ room: Room }>("PATCH", `/api/rooms/${slug}/`, { topic })).room;
