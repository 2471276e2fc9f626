for (const form of document.querySelectorAll("form.filter")) {
  const table = document.getElementById(form.dataset.table);
  const rows = [...table.tBodies[0].rows];
  const words = rows.map(row => row.textContent.toLowerCase());
  const chosen = name => form.elements[name] ? form.elements[name].value : "";
  const show = () => {
    const asked = chosen("words").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      const fits = ["document", "verdict"].every(name => !chosen(name) || row.dataset[name] === chosen(name));
      row.hidden = !(fits && asked.every(word => words[place].includes(word)));
      shown += !row.hidden;
    });
    form.querySelector("output").value = `${shown} of ${rows.length} shown`;
  };
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  show();
}
