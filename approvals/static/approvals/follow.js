// Shows a page anew while what it tells of goes on, without moving what is read.
(function () {
  const every = 5000;
  async function look() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.querySelector(".tw-page");
      const shown = document.querySelector(".tw-page");
      if (!answer.ok || !now || !shown) return;
      shown.replaceWith(document.importNode(now, true));
    } catch {
      // The network is away: look again later.
    }
    if (document.querySelector("[data-goes-on]")) setTimeout(look, every);
  }
  setTimeout(look, every);
})();
