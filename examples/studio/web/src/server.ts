/** The server's side: GraphQL, uploads, and the news that come through the WebSocket. */

export interface Note {
  id: number;
  author: string;
  body: string;
}

export interface Picture {
  id: number;
  url: string;
  sha256: string;
}

export type News = { note: Note } | { picture: Picture };

const cookie = () => /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];

async function post(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  if (!cookie()) await fetch("/graphql");
  return fetch(path, { method: "POST", body, headers: { ...headers, "X-CSRFToken": cookie() ?? "" } });
}

/** Asks GraphQL; throws what it complains about. */
export async function ask<T>(query: string, variables: object = {}): Promise<T> {
  const response = await post("/graphql", JSON.stringify({ query, variables }), { "Content-Type": "application/json" });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data as T;
}

export async function upload(file: File): Promise<Picture> {
  const form = new FormData();
  form.set("file", file);
  const response = await post("/upload", form);
  if (response.status === 413) throw new Error("The picture is too large.");
  const answer = await response.json();
  if (!response.ok) throw new Error(Object.values(answer.errors).flat().join(" "));
  return answer as Picture;
}

/** Listens to the news, and comes back after a lost connection; `changed` gets each new one, and undefined between two. Returns what ends it. */
export function listen(changed: (socket?: WebSocket) => void, heard: (news: News) => void): () => void {
  let socket: WebSocket;
  let timer: ReturnType<typeof setTimeout>;
  const connect = () => {
    socket = new WebSocket(import.meta.env.VITE_LIVE);
    socket.onopen = () => changed(socket);
    socket.onmessage = (event) => heard(JSON.parse(event.data));
    socket.onclose = () => {
      changed();
      timer = setTimeout(connect, 500 + 1000 * Math.random());
    };
  };
  connect();
  return () => {
    clearTimeout(timer);
    socket.onclose = null;
    socket.close();
  };
}
