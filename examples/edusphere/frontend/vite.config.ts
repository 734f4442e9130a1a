import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// Without a web server in front (`npm run dev` on a laptop), what belongs to the backend is passed on to it.
// The Host header stays as the browser sent it, for Django compares it with Origin.
const backend = { target: "http://127.0.0.1:8000", changeOrigin: false, ws: true };

export default defineConfig({
  plugins: [vue()],
  // Says which files have a hash in their names, for the web server.
  build: { manifest: true },
  server: {
    port: 5173,
    strictPort: true,
    proxy: { "/api/": backend, "/admin/": backend, "/ws/": backend, "/static/": backend, "/media/": backend },
  },
});
