/** Calls of the REST API. Every call throws ApiError when the server doesn't answer with success. */

export interface User {
  username: string;
  avatar_url: string | null;
  is_staff: boolean;
}

export interface Version {
  name: string;
  version: string;
  release: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly errors: Record<string, string[]>,
  ) {
    super(Object.values(errors).flat().join(" ") || `The server answered ${status}.`);
  }
}

const csrfCookie = () => /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];

/** Sends `body` (FormData as it is, anything else as JSON) with the CSRF token and returns the decoded answer. */
export async function call<T>(method: "GET" | "POST" | "PATCH", path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfCookie() ?? (await call<{ csrf_token: string }>("GET", "/api/csrf/")).csrf_token;
  }
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: isForm || body === undefined ? (body as FormData) : JSON.stringify(body) });
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const data = isJson ? await response.json() : {};
  if (!response.ok) throw new ApiError(response.status, data.errors ?? {});
  return data as T;
}

type Account = { user: User };

export const me = async () => (await call<{ user: User | null }>("GET", "/api/me/")).user;
export const login = async (username: string, password: string) => (await call<Account>("POST", "/api/login/", { username, password })).user;
export const register = async (username: string, password: string) =>
  (await call<Account>("POST", "/api/register/", { username, password })).user;
export const logout = () => call<object>("POST", "/api/logout/");
export const version = () => call<Version>("GET", "/api/version/");

export async function uploadAvatar(file: File): Promise<User> {
  const form = new FormData();
  form.set("avatar", file);
  return (await call<Account>("POST", "/api/me/avatar/", form)).user;
}
