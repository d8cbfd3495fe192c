window.psmooth = window.psmooth || {}; window.psmooth.understand = window.psmooth.understand || (() => {});
