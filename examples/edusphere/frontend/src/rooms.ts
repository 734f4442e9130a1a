/** Rooms over the REST API. */

import { call } from "./api";

export interface Room {
  slug: string;
  name: string;
  last_sequence: number;
}

export const listRooms = async () => (await call<{ rooms: Room[] }>("GET", "/api/rooms/")).rooms;
export const createRoom = async (name: string) => (await call<{ room: Room }>("POST", "/api/rooms/", { name })).room;
