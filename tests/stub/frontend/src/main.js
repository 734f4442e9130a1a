const scheme = location.protocol === "https:" ? "wss" : "ws";
// An address with its scheme, and one without: whatever a bundle has of localhost/ws, the deployment replaces.
const sockets = { lobby: new WebSocket("ws://localhost/ws/lobby/"), hall: new WebSocket(`${scheme}://localhost/ws/hall/`) };

for (const [room, socket] of Object.entries(sockets)) {
  // What comes back went to Redis and through the site's own address.
  socket.onopen = () => socket.send(JSON.stringify({ hello: room }));
  socket.onmessage = (event) => (document.querySelector(`[data-testid=${room}]`).textContent = event.data);
}

async function ask(body) {
  const { csrfToken } = await (await fetch("/api/csrf/")).json();
  const headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken };
  const { data } = await (await fetch("/graphql/", body ? { method: "POST", headers, body: JSON.stringify(body) } : {})).json();
  const items = data.rooms.map(({ name }) => Object.assign(document.createElement("li"), { textContent: name }));
  document.querySelector("[data-testid=rooms]").replaceChildren(...items);
}

document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void ask({ query: "mutation", variables: { name: event.target.elements.namedItem("name").value } });
});
void ask();
