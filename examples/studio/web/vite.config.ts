import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// On a laptop what belongs to the backend is passed on to it, with the Host that the browser sent: Django compares it with Origin.
const backend = { target: "http://127.0.0.1:8000", changeOrigin: false, ws: true };

export default defineConfig({
  plugins: [vue()],
  build: { outDir: "build" },
  server: { port: 5173, strictPort: true, proxy: { "/graphql": backend, "/upload": backend, "/live": backend, "/avatars/": backend } },
});
