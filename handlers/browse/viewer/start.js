// Shows the description that this installation gives of itself. What is tried out goes
// to this origin alone, with the session of the browser or the token that is entered.
window.addEventListener("load", () => {
  window.SwaggerUIBundle({
    url: document.getElementById("viewer").dataset.url,
    dom_id: "#viewer",
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: false,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
  });
});
