/** The address bar: `/rooms/<slug>` is a room, everything else the start page. */

import { ref } from "vue";

const read = () => /^\/rooms\/([\w-]+)\/?$/.exec(location.pathname)?.[1] ?? null;

/** Slug of the room in the address bar, or null. */
export const currentRoom = ref(read());

window.addEventListener("popstate", () => (currentRoom.value = read()));

export function openRoom(slug: string | null, how: "push" | "replace" = "push"): void {
  history[how === "push" ? "pushState" : "replaceState"](null, "", slug ? `/rooms/${slug}` : "/");
  currentRoom.value = slug;
}
