mod availability;
mod brand;
mod form;
mod pro;
mod start;
mod starter;
mod verify_promo;
