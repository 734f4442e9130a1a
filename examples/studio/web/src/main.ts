import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import App from "./App.vue";
import AdminPage from "./pages/AdminPage.vue";
import WallPage from "./pages/WallPage.vue";
import "./style.css";

const routes = [
  { path: "/", component: WallPage },
  { path: "/admin", component: AdminPage },
];
createApp(App).use(createRouter({ history: createWebHistory(), routes })).mount("#app");
