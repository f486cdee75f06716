// Shows the OpenAPI description of this installation. Requests that are tried out go only
// to this origin, with the browser's session or the token that is entered.
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
